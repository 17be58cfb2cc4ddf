"""Import rules, which administrators keep: who may import what, and to where."""

from dataclasses import dataclass, fields
from datetime import datetime

from asyncpg import Record

from shared.db.database import Connection
from shared.model.import_rule import ImportRule, RuleValues


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule:
    """A rule, with the user who made it, and its times."""

    rule: ImportRule
    created_by: str
    created_at: datetime
    updated_at: datetime


_VALUES = tuple(field.name for field in fields(RuleValues))
# By name, so that a column that a newer schema adds does not reach code that does not know it.
_COLUMNS = ", ".join(("id", *_VALUES, "created_by", "created_at", "updated_at"))
_PARAMETERS = ", ".join(f"${number}" for number in range(1, len(_VALUES) + 1))
_NEXT = len(_VALUES) + 1


async def lock_rules(connection: Connection) -> None:
    """Let one transaction at a time change rules; readers are not blocked.

    Rules are few and changed by hand: one lock keeps their number and their names exact.
    """
    await connection.execute("LOCK TABLE import_rules IN SHARE ROW EXCLUSIVE MODE")


async def count_rules(connection: Connection) -> int:
    """Return the number of rules."""
    count: int = await connection.fetchval("SELECT count(*) FROM import_rules")
    return count


async def list_rules(connection: Connection) -> list[StoredRule]:
    """Return all rules, ordered by id."""
    return await _fetch(connection, "ORDER BY id")


async def get_rule(connection: Connection, rule_id: int) -> StoredRule | None:
    """Return the rule with this id."""
    found = await _fetch(connection, "WHERE id = $1", rule_id)
    return found[0] if found else None


async def find_rule(connection: Connection, name: str) -> StoredRule | None:
    """Return the rule with this name."""
    found = await _fetch(connection, "WHERE name = $1", name)
    return found[0] if found else None


async def insert_rule(connection: Connection, values: RuleValues, *, user: str) -> StoredRule:
    """Add a rule; the caller holds the lock and has checked that the name is free."""
    rows = await connection.fetch(
        f"""
        INSERT INTO import_rules ({", ".join(_VALUES)}, created_by) VALUES ({_PARAMETERS}, ${_NEXT})
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - fixed text
        *_in_order(values),
        user,
    )
    return _stored(rows[0])


async def update_rule(connection: Connection, rule_id: int, values: RuleValues) -> StoredRule:
    """Replace a rule's values; the caller holds the lock and has checked that the name is free."""
    rows = await connection.fetch(
        f"""
        UPDATE import_rules SET ({", ".join(_VALUES)}, updated_at) = ROW ({_PARAMETERS}, now())
        WHERE id = ${_NEXT} RETURNING {_COLUMNS}
        """,  # noqa: S608 - fixed text
        *_in_order(values),
        rule_id,
    )
    return _stored(rows[0])


async def delete_rule(connection: Connection, rule_id: int) -> bool:
    """Delete a rule with its months' usage; False where there is none with this id."""
    return await connection.execute("DELETE FROM import_rules WHERE id = $1", rule_id) == "DELETE 1"


async def _fetch(connection: Connection, rest: str, *values: object) -> list[StoredRule]:
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM import_rules {rest}", *values)  # noqa: S608 - fixed text
    return [_stored(row) for row in rows]


def _stored(row: Record) -> StoredRule:
    rule = ImportRule(
        id=row["id"],
        name=row["name"],
        subjects=tuple(row["subjects"]),
        sources=tuple(row["sources"]),
        targets=tuple(row["targets"]),
        create_projects=row["create_projects"],
        overwrite_foreign=row["overwrite_foreign"],
        max_image_bytes=row["max_image_bytes"],
        max_open_imports=row["max_open_imports"],
        max_bytes_per_month=row["max_bytes_per_month"],
        weight=row["weight"],
    )
    return StoredRule(
        rule=rule, created_by=row["created_by"], created_at=row["created_at"], updated_at=row["updated_at"]
    )


def _in_order(values: RuleValues) -> tuple[object, ...]:
    given = (getattr(values, name) for name in _VALUES)
    return tuple(list(value) if isinstance(value, tuple) else value for value in given)
