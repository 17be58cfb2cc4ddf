"""Rate limits that one process has met and all must know: by registry, account and what they hold back.

Times are seconds from now, by the database's clock alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.database import Connection

# What has ended so long ago says nothing any more. Seconds.
KEEP_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLimit:
    """A limit that ends, or ended, `resumes_in` seconds from now; `account` is a fingerprint."""

    host: str
    account: str
    scope: str
    resumes_in: float
    share: float


async def limits_since(connection: Connection, *, scopes: Sequence[str], seconds: float) -> list[StoredLimit]:
    """Return the limits of these scopes that hold, or ended within so many seconds."""
    rows = await connection.fetch(
        """
        SELECT host, account, scope, extract(epoch FROM resumes_at - now())::float8 AS resumes_in, share
        FROM registry_limits WHERE resumes_at > now() - make_interval(secs => $1) AND scope = ANY($2::text[])
        """,
        seconds,
        list(scopes),
    )
    return [StoredLimit(**dict(row)) for row in rows]


async def lock_limit(connection: Connection, *, host: str, account: str, scope: str) -> StoredLimit:
    """Return a limit, locked until the transaction ends; one that ended just now where there was none."""
    rows = await connection.fetch(
        """
        INSERT INTO registry_limits (host, account, scope, resumes_at, share) VALUES ($1, $2, $3, now(), 1)
        ON CONFLICT (host, account, scope) DO UPDATE SET scope = excluded.scope
        RETURNING host, account, scope, extract(epoch FROM resumes_at - clock_timestamp())::float8 AS resumes_in, share
        """,
        host,
        account,
        scope,
    )
    return StoredLimit(**dict(rows[0]))


async def set_limit(connection: Connection, limit: StoredLimit) -> None:
    """Write a locked limit, and drop what ended long ago."""
    await connection.execute(
        """
        UPDATE registry_limits
        SET resumes_at = clock_timestamp() + make_interval(secs => $4), share = $5, updated_at = now()
        WHERE (host, account, scope) = ($1, $2, $3)
        """,
        limit.host,
        limit.account,
        limit.scope,
        limit.resumes_in,
        limit.share,
    )
    await connection.execute(
        """
        DELETE FROM registry_limits WHERE (host, account, scope) IN (
            SELECT host, account, scope FROM registry_limits
            WHERE resumes_at < now() - make_interval(secs => $1) FOR UPDATE SKIP LOCKED
        )
        """,
        KEEP_SECONDS,
    )
