"""What a user holds of the limits of import rules: open imports, and the bytes of this month.

Months are calendar months in UTC, by the database's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.database import Connection
from shared.model.import_rule import Usage
from shared.model.owner import Owner

# The first half of the advisory locks' keys; the second is a hash of the user.
USAGE_LOCK = 72_652

# The open imports of a user, through the indexes of the claim.
OPEN_OF_USER = """
    SELECT FROM (
        SELECT FROM imports
        WHERE state IN ('queued', 'waiting') AND owner_hash = hashtextextended({issuer} || E'\n' || {subject}, 0)
        UNION ALL
        SELECT FROM imports
        WHERE state = 'running' AND owner_hash = hashtextextended({issuer} || E'\n' || {subject}, 0)
    ) AS open_imports
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentUsage:
    """A user's parts by the rules' ids, at the database's time `at`."""

    by_rule: Mapping[int, Usage]
    at: datetime


async def lock_usage(connection: Connection, user: Owner) -> None:
    """Let one transaction at a time add imports of this user, so that none exceeds a limit on open imports.

    A transaction takes this lock before it locks images or imports.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext($2))", USAGE_LOCK, f"{user.issuer}\n{user.subject}"
    )


async def count_open(connection: Connection, user: Owner, *, most: int) -> int:
    """Return the number of the user's open imports by all rules and by none, counted up to `most`."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM ({OPEN_OF_USER.format(issuer='$1::text', subject='$2::text')} LIMIT $3) AS opened",  # noqa: S608
        user.issuer,
        user.subject,
        most,
    )
    return count


async def read_usage(connection: Connection, user: Owner, rules: Sequence[int]) -> CurrentUsage:
    """Return the user's usage of these rules."""
    rows = await connection.fetch(
        """
        SELECT now() AS at, rule.id,
            (
                SELECT count(*) FROM imports
                WHERE rule_id = rule.id AND requester_issuer = $2 AND requester_subject = $3
                  AND state IN ('queued', 'running', 'waiting')
            ) AS open_imports,
            coalesce((
                SELECT bytes FROM import_usage
                WHERE rule_id = rule.id AND issuer = $2 AND subject = $3
                  AND month = date_trunc('month', now() AT TIME ZONE 'UTC')::date
            ), 0) AS month_bytes
        FROM (SELECT NULL::bigint AS id UNION ALL SELECT unnest($1::bigint[])) AS rule
        """,
        list(rules),
        user.issuer,
        user.subject,
    )
    usage = {row["id"]: Usage(open_imports=row["open_imports"], month_bytes=row["month_bytes"]) for row in rows}
    del usage[None]
    return CurrentUsage(by_rule=usage, at=rows[0]["at"])
