"""Rate limits that one process has met and all must obey, stored by registry, account and scope.

In this store, a limit's moments are seconds from now by the database's clock, the one clock that all processes share.
"""

from collections.abc import Callable, Mapping

import asyncpg

from shared.db.database import Connection, Database
from shared.rate_limits.limit import GROWTH, Limit, LimitKey, Scope

# Seconds after its end for which a row is kept.
KEEP_SECONDS = 24 * 3600.0
# Seconds after its end for which a limit still matters: by then the smallest share has grown back to the whole.
RELEVANT_SECONDS = 1 / GROWTH


class RegistryLimits:
    """The limits of all processes. Implements `shared.rate_limits.limits.LimitStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> Mapping[LimitKey, Limit]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """
                SELECT host, account, scope, extract(epoch FROM resumes_at - now())::float8 AS resumes_in, share
                FROM registry_limits WHERE resumes_at > now() - make_interval(secs => $1) AND scope = ANY($2::text[])
                """,
                RELEVANT_SECONDS,
                [scope.value for scope in Scope],
            )
        return {_key(row): _limit(row) for row in rows}

    async def change(self, key: LimitKey, change: Callable[[Limit], Limit]) -> Limit:
        async with self._database.transaction() as connection:
            changed = change(await _lock(connection, key))
            await _update(connection, key, changed)
            await _delete_old(connection)
        return changed


async def _lock(connection: Connection, key: LimitKey) -> Limit:
    """Return a limit, locked until the transaction ends; a new one has ended just now."""
    rows = await connection.fetch(
        """
        INSERT INTO registry_limits (host, account, scope, resumes_at, share) VALUES ($1, $2, $3, now(), 1)
        ON CONFLICT (host, account, scope) DO UPDATE SET scope = excluded.scope
        RETURNING extract(epoch FROM resumes_at - clock_timestamp())::float8 AS resumes_in, share
        """,
        key.host,
        key.account,
        key.scope.value,
    )
    return _limit(rows[0])


async def _update(connection: Connection, key: LimitKey, limit: Limit) -> None:
    await connection.execute(
        """
        UPDATE registry_limits
        SET resumes_at = clock_timestamp() + make_interval(secs => $4), share = $5, updated_at = now()
        WHERE (host, account, scope) = ($1, $2, $3)
        """,
        key.host,
        key.account,
        key.scope.value,
        limit.resumes_at,
        limit.concurrency_share,
    )


async def _delete_old(connection: Connection) -> None:
    await connection.execute(
        """
        DELETE FROM registry_limits WHERE (host, account, scope) IN (
            SELECT host, account, scope FROM registry_limits
            WHERE resumes_at < now() - make_interval(secs => $1) FOR UPDATE SKIP LOCKED
        )
        """,
        KEEP_SECONDS,
    )


def _key(row: asyncpg.Record) -> LimitKey:
    return LimitKey(host=row["host"], account=row["account"], scope=Scope(row["scope"]))


def _limit(row: asyncpg.Record) -> Limit:
    return Limit(resumes_at=row["resumes_in"], concurrency_share=row["share"])
