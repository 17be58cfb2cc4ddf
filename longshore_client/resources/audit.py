"""The audit log: one event for each request of a person that writes, also for refused ones."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from longshore_client.answers import Json, Key, decode, need, objects
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
    """A page of the log; `total` is the number of events that match."""

    total: int
    events: Sequence[AuditEvent]

    @classmethod
    def of(cls, document: Json) -> "AuditPage":
        """Read the API's answer."""
        events = [decode(AuditEvent, entry) for entry in objects(document, "events")]
        return cls(total=need(document, "totalCount", int), events=events)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Filters of the log. A filter that is None is not applied."""

    user: str | None = None
    operation: str | None = None
    object: str | None = None
    refused: bool | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self, page: int, size: int) -> Mapping[str, str]:
        """Return the query parameters of one page; pages count from 0."""
        given = {
            "userName": self.user,
            "operation": self.operation,
            "object": self.object,
            "refused": None if self.refused is None else str(self.refused).lower(),
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "page_num": str(page),
            "page_size": str(size),
        }
        return {name: value for name, value in given.items() if value is not None}


class AuditOperations(Calls):
    """Reads the audit log; needs an admin's token."""

    async def audit_page(self, query: AuditQuery, number: int = 0, size: int = MAX_AUDIT_PAGE) -> AuditPage:
        """Return one page of the events that match, the newest first; pages count from 0."""
        return AuditPage.of(await self._get("/audit", query.parameters(number, size)))

    async def audit_events(self, query: AuditQuery | None = None) -> AsyncGenerator[AuditEvent, None]:
        """Yield the events that match, the newest first."""
        wanted, number, seen = query or AuditQuery(), 0, 0
        while True:
            page = await self.audit_page(wanted, number)
            for event in page.events:
                yield event
            number, seen = number + 1, seen + len(page.events)
            if not page.events or seen >= page.total:
                return
