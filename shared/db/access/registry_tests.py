"""The latest tests of stored registries, by host: their rate is limited for all API instances together."""

from dataclasses import dataclass

from shared.db.database import Connection

# Tests are forgotten after this time, the longest for which they count. Seconds.
KEPT_FOR = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTests:
    """Tests of one host in the last hour, of all hosts in the last minute, and seconds since the host's latest one."""

    of_host: int
    of_all: int
    since_last: float | None


async def lock_tests(connection: Connection) -> None:
    """Let one transaction at a time begin a test, so that the limits are exact."""
    await connection.execute("LOCK TABLE registry_tests IN SHARE ROW EXCLUSIVE MODE")


async def recent_tests(connection: Connection, host: str) -> RecentTests:
    """Return the tests that count, and forget older ones."""
    await connection.execute("DELETE FROM registry_tests WHERE tested_at < now() - make_interval(secs => $1)", KEPT_FOR)
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE host = $1) AS of_host,
               count(*) FILTER (WHERE tested_at > now() - interval '1 minute') AS of_all,
               extract(epoch FROM now() - max(tested_at) FILTER (WHERE host = $1))::float8 AS since_last
        FROM registry_tests
        """,
        host,
    )
    return RecentTests(**dict(row or {}))


async def add_test(connection: Connection, host: str) -> None:
    """Count a test that begins now."""
    await connection.execute("INSERT INTO registry_tests (host) VALUES ($1)", host)
