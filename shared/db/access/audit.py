"""The audit log: one row for each request that writes, and for each command that does."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from shared.db.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """A request and its outcome. Texts must have no NUL and no half of a surrogate pair.

    `user_name`, `issuer`, `subject` and `role` are None if the request proved no identity, `token_id` if it had no API
    token. `operation` is the OpenAPI operation's id. `object` is an id or a name. `rule_id` is the import
    rule that allowed the request. `status` is the answer's; 0: none was sent.
    """

    user_name: str | None = None
    issuer: str | None = None
    subject: str | None = None
    role: str | None = None
    token_id: int | None = None
    address: str | None = None
    operation: str
    object: str = ""
    rule_id: int | None = None
    status: int
    code: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A stored event. Ids grow with time; events of the same moment may have them in any order."""

    id: int
    at: datetime
    event: AuditEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Selects events; None does not restrict a field. Texts have to be equal; `since` is included, `until` is not.

    `refused` selects by whether the request ended with an error code.
    """

    user_name: str | None = None
    operation: str | None = None
    object: str | None = None
    code: str | None = None
    refused: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS = tuple(field.name for field in fields(AuditEvent))
_values = attrgetter(*_COLUMNS)
_TYPES = {"token_id": "bigint", "rule_id": "bigint", "status": "integer"}
_ARRAYS = ", ".join(f"${number}::{_TYPES.get(name, 'text')}[]" for number, name in enumerate(_COLUMNS, 1))
# $1 and $2 are the cursor and the page's size.
_CONDITIONS = {
    "user_name": "user_name = ${}",
    "operation": "operation = ${}",
    "object": "object = ${}",
    "code": "code = ${}",
    "refused": "(code IS NOT NULL) = ${}",
    "since": "at >= ${}",
    "until": "at < ${}",
}


async def insert_events(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Add the events in one statement, in their order."""
    await connection.execute(
        f"INSERT INTO audit_events ({', '.join(_COLUMNS)}) SELECT * FROM unnest({_ARRAYS})",  # noqa: S608 - fixed text
        *zip(*map(_values, events), strict=True),
    )


async def list_events(
    connection: Connection, matching: AuditFilter, *, before: int | None, limit: int
) -> list[AuditRow]:
    """Return matching events, newest first, beginning below the id `before`."""
    given = {name: value for name in _CONDITIONS if (value := getattr(matching, name)) is not None}
    conditions = [_CONDITIONS[name].format(number) for number, name in enumerate(given, 3)]
    rows = await connection.fetch(
        f"""
        SELECT id, at, {", ".join(_COLUMNS)} FROM audit_events
        WHERE {" AND ".join(["($1::bigint IS NULL OR id < $1)", *conditions])}
        ORDER BY id DESC LIMIT $2
        """,  # noqa: S608 - fixed text
        before,
        limit,
        *given.values(),
    )
    return [_row(row) for row in rows]


async def purge_events(connection: Connection, *, days: int, limit: int) -> int:
    """Delete at most `limit` of the events that are older; return their number."""
    status = await connection.execute(
        """
        DELETE FROM audit_events WHERE id = ANY (ARRAY(
            SELECT id FROM audit_events WHERE at < now() - make_interval(days => $1) ORDER BY at LIMIT $2
        ))
        """,
        days,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _row(row: Any) -> AuditRow:
    values = dict(row)
    return AuditRow(id=values.pop("id"), at=values.pop("at"), event=AuditEvent(**values))
