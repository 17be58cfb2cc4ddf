"""The bytes that each user has imported by a rule in a calendar month, counted in UTC.

An import reserves its image's bytes before the first one is copied. A statement that reserves compares with the limit
in the same step, so that imports that reserve at once never pass it together. An import that ends without its image
gives back the bytes that were not transferred, to the month that it reserved them in.

A transaction locks the import first, then the usage, an older month before a newer one.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from shared.db.database import Connection
from shared.model.import_rule import Usage
from shared.model.integers import MAX_INT64
from shared.model.owner import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAccount:
    """One user's account of one rule in one month, which is named by its first day."""

    rule_id: int
    owner: Owner
    month: date


async def current_time(connection: Connection) -> datetime:
    """Return the database's time, which decides to which month bytes belong."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


def month_of(now: datetime) -> date:
    """Return the first day of the month, UTC."""
    return now.astimezone(UTC).date().replace(day=1)


async def usage_without(connection: Connection, owner: Owner, month: date, import_id: int) -> dict[int, Usage]:
    """Return a user's usage by rule, without the import with this id."""
    rows = await connection.fetch(
        """
        SELECT rule_id, coalesce(open_imports, 0) AS open_imports, coalesce(month_bytes, 0) AS month_bytes
        FROM (
            SELECT rule_id, count(*) AS open_imports FROM imports
            WHERE requester_issuer = $1 AND requester_subject = $2 AND rule_id IS NOT NULL AND id <> $4
              AND state IN ('queued', 'running', 'waiting')
            GROUP BY rule_id
        ) AS opened FULL JOIN (
            SELECT usage.rule_id, usage.bytes - coalesce(own.admitted_bytes, 0) AS month_bytes
            FROM import_usage AS usage
            LEFT JOIN imports AS own
                ON own.id = $4 AND (own.rule_id, own.admitted_month) = (usage.rule_id, usage.month)
            WHERE (usage.issuer, usage.subject, usage.month) = ($1, $2, $3)
        ) AS held USING (rule_id)
        """,
        owner.issuer,
        owner.subject,
        month,
        import_id,
    )
    return {
        row["rule_id"]: Usage(open_imports=row["open_imports"], month_bytes=max(0, row["month_bytes"])) for row in rows
    }


async def reserve(
    connection: Connection, import_id: int, account: UsageAccount, *, size: int, limit: int | None
) -> bool:
    """Let the import hold this many bytes of the account; False if the limit forbids it, or if the rule is gone.

    The caller has locked the import's row. An import holds bytes of one account at a time: those that it holds in
    another month, or of another rule, are given back first.
    """
    held = await _hold_of(connection, import_id, account)
    reserved = await connection.fetchval(
        """
        INSERT INTO import_usage AS usage (rule_id, issuer, subject, month, bytes)
        SELECT id, $2, $3, $4, greatest($5::bigint, 0)
        FROM (SELECT id FROM import_rules WHERE id = $1 FOR KEY SHARE) AS rule
        WHERE $5 <= $6::bigint
        ON CONFLICT (rule_id, issuer, subject, month) DO UPDATE SET bytes = usage.bytes + $5
        WHERE usage.bytes::numeric + $5 <= $6
        RETURNING bytes
        """,
        account.rule_id,
        account.owner.issuer,
        account.owner.subject,
        account.month,
        size - held,
        MAX_INT64 if limit is None else limit,
    )
    if reserved is None:
        return False
    await connection.execute(
        "UPDATE imports SET rule_id = $2, admitted_bytes = $3, admitted_month = $4 WHERE id = $1",
        import_id,
        account.rule_id,
        size,
        account.month,
    )
    return True


async def give_back_unused(connection: Connection, import_id: int) -> None:
    """Give the bytes back that an ended import holds and did not transfer; a repetition has no effect."""
    await _reduce(connection, import_id, "bytes_done")


async def give_back_all(connection: Connection, import_id: int) -> None:
    """Give all bytes back that the import holds: it goes on by another rule, or in another month."""
    await _reduce(connection, import_id, "0")


async def _hold_of(connection: Connection, import_id: int, account: UsageAccount) -> int:
    """Return the bytes that the import holds of this account, after those of any other are given back."""
    held: int | None = await connection.fetchval(
        "SELECT admitted_bytes FROM imports WHERE id = $1 AND (rule_id, admitted_month) = ($2, $3)",
        import_id,
        account.rule_id,
        account.month,
    )
    if held is None:
        await give_back_all(connection, import_id)
    return held or 0


async def _reduce(connection: Connection, import_id: int, to: str) -> None:
    """Reduce what the import holds to this expression of its columns; the rest returns to its account."""
    await connection.execute(
        f"""
        WITH held AS (
            SELECT id, admitted_bytes, rule_id, requester_issuer AS issuer,
                   coalesce(requester_subject, requested_by) AS subject, admitted_month AS month
            FROM imports WHERE id = $1 AND admitted_bytes > {to}
        ), reduced AS (
            UPDATE imports SET admitted_bytes = {to} FROM held WHERE imports.id = held.id
            RETURNING held.admitted_bytes - imports.admitted_bytes AS unused
        )
        UPDATE import_usage AS usage SET bytes = greatest(0, usage.bytes - unused) FROM held, reduced
        WHERE (usage.rule_id, usage.issuer, usage.subject, usage.month)
            = (held.rule_id, held.issuer, held.subject, held.month)
        """,  # noqa: S608 - fixed texts of this module
        import_id,
    )
