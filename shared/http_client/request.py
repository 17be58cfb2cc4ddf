"""One HTTP request as data, and its response once the body has been read."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.body import Body, StreamedBody
from shared.http_client.failures import Failure, failed
from shared.http_client.session import SMALL_TIMEOUT

OK = frozenset({200})
# Called, in any thread, with the answer to a request whose body was ended early, so that the server could end it well.
EndedEarly: TypeAlias = Callable[["Reply"], None]
# Awaited right before a request is sent; an exception from it cancels the request.
BeforeSend = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a server on one side of an import.

    `resource` names the kind of resource in traces. `step` completes the sentence "<host> answered 404 while …".
    `accepts` lists the statuses that count as success. `limit` bounds the response body in bytes if it is read as a
    whole. `bulk` selects the blocking client, whose response body is read by a thread. `before` is awaited each time
    the request is sent, including repetitions by the HTTP client itself. With `ended_early`, a bulk body has no length:
    if it is aborted or raises, it is ended at that point, and `ended_early` gets the answer if there is one soon.
    """

    side: Side
    resource: str
    step: str
    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | StreamedBody | Body | None = None
    bulk: bool = False
    accepts: frozenset[int] = OK
    limit: int
    timeout: aiohttp.ClientTimeout = SMALL_TIMEOUT
    before: BeforeSend | None = None
    ended_early: EndedEarly | None = None

    @property
    def replayable(self) -> bool:
        """Whether the request can be sent again: a body that is a stream cannot."""
        return self.body is None or isinstance(self.body, bytes)

    @property
    def host(self) -> str:
        return authority(self.url)

    def error(self, failure: Failure, detail: str, *, retry_after: float | None = None) -> LongshoreError:
        """Return an error with this request's side; `detail` is a whole sentence."""
        return failed(self.side, failure, detail, retry_after=retry_after)

    def failed(self, failure: Failure, problem: str, reason: str = "", *, host: str = "") -> LongshoreError:
        """Return the error "<host> <problem> while <step>: <reason>."; after a redirect, `host` is another one."""
        cause = f": {reason}" if reason else ""
        return self.error(failure, f"{host or self.host} {problem} while {self.step}{cause}.")


@dataclass(frozen=True, slots=True)
class Reply:
    """A response whose body has been read."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes


def authority(url: URL) -> str:
    """Return `host[:port]` for a sentence; the scheme's default port is omitted."""
    return url.host_port_subcomponent or ""
