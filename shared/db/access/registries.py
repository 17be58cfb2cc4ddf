"""Source registries that an administrator has stored, with the account for reading their images."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.db.database import Connection
from shared.model.account_access import AccountAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistry:
    """A registry by its `host[:port]` in references. `username` and `password` (encrypted) are both or neither.

    `access` lists the imports that may use the account; None: those of admins alone.
    """

    id: int
    name: str
    host: str
    username: str | None
    password: bytes | None = field(repr=False)
    is_default: bool
    access: AccountAccess | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryValues:
    """The fields of a registry that an administrator sets."""

    name: str
    host: str
    username: str | None
    password: bytes | None = field(repr=False)
    is_default: bool
    access: AccountAccess | None = None


# By name, so that a column that a newer schema adds does not reach code that does not know it.
_COLUMNS = """
    id, name, host, username, password, is_default, access_subjects, access_repositories, access_targets, created_by,
    created_at, updated_at
"""


async def lock_registries(connection: Connection) -> None:
    """Let one transaction at a time change registries; readers are not blocked.

    Registries are few and changed by hand: one lock keeps their limit, their names and the single default exact.
    """
    await connection.execute("LOCK TABLE source_registries IN SHARE ROW EXCLUSIVE MODE")


async def count_registries(connection: Connection) -> int:
    """Return the number of registries."""
    count: int = await connection.fetchval("SELECT count(*) FROM source_registries")
    return count


async def list_registries(connection: Connection) -> list[StoredRegistry]:
    """Return all registries, ordered by name."""
    return await _fetch(connection, "ORDER BY name")


async def get_registry(connection: Connection, registry_id: int) -> StoredRegistry | None:
    """Return the registry with this id."""
    found = await _fetch(connection, "WHERE id = $1", registry_id)
    return found[0] if found else None


async def find_registries(connection: Connection, *, host: str, name: str) -> list[StoredRegistry]:
    """Return the registries with this host or this name."""
    return await _fetch(connection, "WHERE host = $1 OR name = $2", host, name)


async def insert_registry(connection: Connection, values: RegistryValues, *, user: str) -> StoredRegistry:
    """Add a registry; the caller holds the lock and has checked that name and host are free."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO source_registries
            (name, host, username, password, is_default, access_subjects, access_repositories, access_targets,
             created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}
        """,  # noqa: S608 - fixed text
        *_in_order(values),
        user,
    )
    return _stored(row)


async def update_registry(connection: Connection, registry_id: int, values: RegistryValues) -> StoredRegistry:
    """Replace a registry's fields; the caller holds the lock and has checked that name and host are free."""
    row = await connection.fetchrow(
        f"""
        UPDATE source_registries
        SET name = $1, host = $2, username = $3, password = $4, is_default = $5, access_subjects = $6,
            access_repositories = $7, access_targets = $8, updated_at = now()
        WHERE id = $9 RETURNING {_COLUMNS}
        """,  # noqa: S608 - fixed text
        *_in_order(values),
        registry_id,
    )
    return _stored(row)


async def clear_default(connection: Connection) -> None:
    """Make no registry the default."""
    await connection.execute("UPDATE source_registries SET is_default = false, updated_at = now() WHERE is_default")


async def delete_registry(connection: Connection, registry_id: int) -> bool:
    """Delete a registry with its account; False where there is none with this id."""
    return await connection.execute("DELETE FROM source_registries WHERE id = $1", registry_id) == "DELETE 1"


async def _fetch(connection: Connection, rest: str, *values: object) -> list[StoredRegistry]:
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM source_registries {rest}", *values)  # noqa: S608 - fixed text
    return [_stored(row) for row in rows]


def _stored(row: Any) -> StoredRegistry:
    values = dict(row)
    subjects, repositories, targets = (values.pop(f"access_{name}") for name in ("subjects", "repositories", "targets"))
    access = None
    if subjects is not None:
        access = AccountAccess(subjects=tuple(subjects), repositories=tuple(repositories), targets=tuple(targets))
    return StoredRegistry(access=access, **values)


def _in_order(values: RegistryValues) -> tuple[object, ...]:
    access = values.access
    lists = (access.subjects, access.repositories, access.targets) if access else (None, None, None)
    return (values.name, values.host, values.username, values.password, values.is_default, *lists)
