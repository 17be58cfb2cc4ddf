"""The use case behind GET /audit: one page of the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.access.audit import AuditFilter, AuditRow, list_events
from shared.db.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """The events that a caller asks for: `size` of them, older than the event with the id `before`."""

    matching: AuditFilter
    before: int | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Events, newest first. The next page begins before the id `next_before`; None: there is none."""

    rows: Sequence[AuditRow]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReader:
    """Reads pages of the audit log."""

    database: Database

    async def read(self, query: AuditQuery) -> AuditPage:
        """Return a page; events that are added meanwhile do not move the pages that follow."""
        async with self.database.connection() as connection:
            # One more than the page shows whether another page follows.
            rows = await list_events(connection, query.matching, before=query.before, limit=query.size + 1)
        page = rows[: query.size]
        return AuditPage(rows=page, next_before=page[-1].id if len(rows) > query.size else None)
