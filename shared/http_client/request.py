"""What one request to a registry is for, and what came back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.body import Body, StreamedBody
from shared.http_client.failures import Failure, failed
from shared.http_client.session import SMALL_TIMEOUT
from shared.oci.manifest import MAX_MANIFEST_SIZE
from shared.registry.scopes import Scopes

OK = frozenset({200})
NO_SCOPES = Scopes()
# Awaited right before a request is sent; what it raises ends the request.
Before = Callable[[], Awaitable[None]]


class Subject(Enum):
    """What a request is about; the same status means another thing for each."""

    REGISTRY = auto()
    MANIFEST = auto()
    PUSHED_MANIFEST = auto()
    BLOB = auto()
    UPLOAD = auto()
    TOKEN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One step of the distribution spec.

    `step` completes the sentence "<host> answered 404 while …". `accepts` lists the statuses that are a success.
    `limit` bounds the answer's body in bytes, where it is read as a whole; `bulk` asks for one that a thread reads.
    `before` is awaited each time it is sent, also where the HTTP client does that again by itself.
    """

    side: Side
    subject: Subject
    step: str
    method: str
    url: URL
    scopes: Scopes = NO_SCOPES
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | StreamedBody | Body | None = None
    bulk: bool = False
    accepts: frozenset[int] = OK
    limit: int = MAX_MANIFEST_SIZE
    timeout: aiohttp.ClientTimeout = SMALL_TIMEOUT
    before: Before | None = None

    @property
    def replayable(self) -> bool:
        """False where the body is a stream, which cannot be sent a second time."""
        return self.body is None or isinstance(self.body, bytes)

    @property
    def host(self) -> str:
        return authority(self.url)

    def error(self, failure: Failure, detail: str, *, retry_after: float | None = None) -> LongshoreError:
        """Make the error for this request's side; `detail` is a whole sentence."""
        return failed(self.side, failure, detail, retry_after=retry_after)

    def failed(self, failure: Failure, what: str, why: str = "", *, host: str = "") -> LongshoreError:
        """Make an error that says "<host> <what> while <step>: <why>."; the host is another one after a redirect."""
        cause = f": {why}" if why else ""
        return self.error(failure, f"{host or self.host} {what} while {self.step}{cause}.")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body has been read."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes


def authority(url: URL) -> str:
    """Return `host[:port]` for a sentence, the port only where it is not the scheme's own."""
    return url.host_port_subcomponent or ""
