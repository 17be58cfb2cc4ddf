"""The owners of images, open imports and tokens, and moving all of one owner's to another one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.db.access.rule_usage import lock_usage
from shared.db.access.tokens import lock_owner
from shared.db.database import Connection
from shared.model.owner import Owner

# No index has owners. A million images take some seconds, which is longer than a request's statement may. Seconds.
MAX_TIME = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The numbers of an owner's images, open imports and tokens."""

    owner: Owner
    images: int
    open_imports: int
    tokens: int

    @property
    def is_empty(self) -> bool:
        return not (self.images or self.open_imports or self.tokens)


# $1 and $2 are issuer and subject; a NULL subject stands for the name for display, as in rows of older releases.
_IMAGES = "owner_issuer = $1 AND coalesce(owner_subject, created_by) = $2"
_IMPORTS = """
    requester_issuer = $1 AND coalesce(requester_subject, requested_by) = $2
    AND state IN ('queued', 'running', 'waiting')
"""
_TOKENS = "issuer = $1 AND coalesce(subject, user_name) = $2 AND role <> 'worker'"

_LIST = """
    SELECT issuer, subject, sum(images)::bigint AS images, sum(open_imports)::bigint AS open_imports,
           sum(tokens)::bigint AS tokens
    FROM (
        SELECT owner_issuer AS issuer, coalesce(owner_subject, created_by) AS subject, 1 AS images, 0 AS open_imports,
               0 AS tokens
        FROM images
        UNION ALL
        SELECT requester_issuer, coalesce(requester_subject, requested_by), 0, 1, 0 FROM imports
        WHERE state IN ('queued', 'running', 'waiting')
        UNION ALL
        SELECT issuer, coalesce(subject, user_name), 0, 0, 1 FROM api_tokens WHERE role <> 'worker'
    ) AS held
    WHERE $1::text IS NULL OR issuer = $1
    GROUP BY issuer, subject ORDER BY issuer, subject
"""


async def list_holdings(connection: Connection, issuer: str | None) -> Sequence[Holdings]:
    """Return the owners of this issuer, or of all, that have anything."""
    async with _long_transaction(connection):
        rows = await connection.fetch(_LIST, issuer, timeout=MAX_TIME)
    return [
        Holdings(
            owner=Owner(issuer=row["issuer"], subject=row["subject"]),
            images=row["images"],
            open_imports=row["open_imports"],
            tokens=row["tokens"],
        )
        for row in rows
    ]


async def count_holdings(connection: Connection, owner: Owner) -> Holdings:
    """Return the numbers of one owner."""
    async with _long_transaction(connection):
        row = await connection.fetchrow(
            f"""
            SELECT (SELECT count(*) FROM images WHERE {_IMAGES}) AS images,
                   (SELECT count(*) FROM imports WHERE {_IMPORTS}) AS open_imports,
                   (SELECT count(*) FROM api_tokens WHERE {_TOKENS}) AS tokens
            """,  # noqa: S608 - fixed text
            owner.issuer,
            owner.subject,
            timeout=MAX_TIME,
        )
    return Holdings(owner=owner, **dict(row or {}))


async def move_holdings(connection: Connection, old: Owner, new: Owner) -> Holdings:
    """Give everything of one owner to another one; return the numbers. Names for display stay.

    The bytes that the owner has used of the month's limits move, too: an open import holds a part of them. Limits are
    locked before imports, and those before images, as by all other transactions.
    """
    names = (old.issuer, old.subject, new.issuer, new.subject)
    async with _long_transaction(connection):
        for each in sorted((old, new), key=lambda owner: (owner.issuer, owner.subject)):
            await lock_usage(connection, each)
            await lock_owner(connection, each)
        imports = await connection.execute(
            f"UPDATE imports SET requester_issuer = $3, requester_subject = $4 WHERE {_IMPORTS}",  # noqa: S608 - fixed text
            *names,
            timeout=MAX_TIME,
        )
        images = await connection.execute(
            f"UPDATE images SET owner_issuer = $3, owner_subject = $4 WHERE {_IMAGES}",  # noqa: S608 - fixed text
            *names,
            timeout=MAX_TIME,
        )
        await _move_usage(connection, names)
        tokens = await connection.execute(
            f"UPDATE api_tokens SET issuer = $3, subject = $4 WHERE {_TOKENS}",  # noqa: S608 - fixed text
            *names,
        )
    return Holdings(owner=old, images=_count(images), open_imports=_count(imports), tokens=_count(tokens))


@asynccontextmanager
async def _long_transaction(connection: Connection) -> AsyncIterator[None]:
    """Open a transaction whose statements may take as long as a command may."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = {MAX_TIME * 1000:.0f}")
        yield


async def _move_usage(connection: Connection, names: tuple[str, str, str, str]) -> None:
    await connection.execute(
        """
        WITH moved AS (
            DELETE FROM import_usage WHERE (issuer, subject) = ($1, $2) RETURNING rule_id, month, bytes
        )
        INSERT INTO import_usage (rule_id, issuer, subject, month, bytes)
        SELECT rule_id, $3, $4, month, bytes FROM moved
        ON CONFLICT (rule_id, issuer, subject, month) DO UPDATE SET bytes = import_usage.bytes + excluded.bytes
        """,
        *names,
    )


def _count(status: str) -> int:
    """Return the number of rows in a statement's status, such as `UPDATE 3`."""
    return int(status.rpartition(" ")[2])
