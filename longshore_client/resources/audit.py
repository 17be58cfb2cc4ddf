"""The audit log: one event for each request of a person that writes, also for refused ones."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from longshore_client.answers import Json, Key, decode
from longshore_client.calls import Calls

# The largest page that the API accepts. Events.
MAX_AUDIT_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An event. `raw` is the API's own object."""

    id: int
    at: Annotated[datetime | None, Key("time")]
    user: Annotated[str, Key("userName")] = ""
    """Empty if the request proved no identity."""
    role: str = ""
    token_id: int | None
    """None for a token of the OIDC issuer, or none."""
    address: str = ""
    operation: str
    """The id of the operation in the OpenAPI description."""
    object: str = ""
    """What it was about: an image, a rule, a registry, a token."""
    rule_id: int | None
    """The import rule that allowed it."""
    status: int
    code: str = ""
    """The error code of a refusal."""
    request_id: str = ""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A page of the log, the newest events first; `next_before` is None on the last page."""

    events: tuple[AuditEvent, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Filters of the log, which compare whole texts. A filter that is None is not applied."""

    user: str | None = None
    operation: str | None = None
    object: str | None = None
    code: str | None = None
    """The error code of a refusal."""
    since: datetime | None = None
    """A time with a zone, as `until` is."""
    until: datetime | None = None

    def parameters(self, before: int | None, size: int) -> Mapping[str, str]:
        """Return the query parameters of the page whose events have ids below `before`; None is the first page."""
        given = {
            "userName": self.user,
            "operation": self.operation,
            "object": self.object,
            "code": self.code,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "before": None if before is None else str(before),
            "page_size": str(size),
        }
        return {name: value for name, value in given.items() if value is not None}


class AuditOperations(Calls):
    """Reads the audit log; needs an admin's token."""

    async def audit_page(
        self, query: AuditQuery | None = None, *, before: int | None = None, size: int = MAX_AUDIT_PAGE
    ) -> AuditPage:
        """Return one page of the events that match; `before` is the former page's `next_before`."""
        return decode(AuditPage, await self._get("/audit", (query or AuditQuery()).parameters(before, size)))

    async def audit_events(self, query: AuditQuery | None = None) -> AsyncGenerator[AuditEvent, None]:
        """Yield the events that match, the newest first.

        ```python
        async for event in longshore.audit_events(AuditQuery(user="anna", operation="deleteImage")):
            print(event.at, event.object, event.code)
        ```
        """
        before: int | None = None
        while True:
            page = await self.audit_page(query, before=before)
            for event in page.events:
                yield event
            if page.next_before is None:
                return
            before = page.next_before
