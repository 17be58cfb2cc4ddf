"""Upload sessions: their addresses and their progress (distribution spec, "Pushing blobs")."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from yarl import URL

from shared.errors.error import LongshoreError
from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import read_error_body
from shared.http_client.failures import Failure
from shared.http_client.locations import origin, resolve_location
from shared.http_client.request import Reply, Request, authority
from shared.network.policy import HTTP_PORT
from shared.oci.digest import Digest

# The error codes of an upload that the registry does not have: it has dropped it, or it never had its repository.
_GONE = frozenset({"BLOB_UPLOAD_UNKNOWN", "NAME_UNKNOWN"})
# The error code for an address from before the last bytes; distribution 2 cancels the upload as it answers so.
_OUTDATED = "BLOB_UPLOAD_INVALID"
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An open upload; `location` is the absolute address from the registry, which is used unchanged."""

    location: str

    @classmethod
    def read(cls, request: Request, reply: Reply) -> "UploadSession":
        """Return the session in a response's Location, its query unchanged; raises if it is on another server."""
        return cls(_read_location(request, reply))


@reads_answer
def _read_location(request: Request, reply: Reply) -> str:
    location = resolve_location(request, request.url, reply.headers)
    url = _without_downgrade(request.url, location)
    if origin(url) != origin(request.url):
        raise request.failed(
            Failure.PROTOCOL,
            "names another server for the upload",
            f"{url.scheme}://{authority(url)}; the registry has to be addressed by the name that it gives itself",
        )
    return str(url)


# Receives the session of an upload whose request has ended before its body did.
TakeSession: TypeAlias = Callable[[UploadSession], None]


def pass_session(request: Request, take: TakeSession, reply: Reply) -> None:
    """Pass the session in a response on, if it has one."""
    if reply.status in request.accepts:
        with suppress(LongshoreError):
            take(UploadSession.read(request, reply))


def with_digest(location: URL, digest: Digest) -> URL:
    """Add the digest to an upload session's address; the state in its query stays unchanged."""
    address = str(location.with_fragment(None))
    separator = "&" if location.raw_query_string else "?"
    return URL(f"{address}{separator}digest={digest}", encoded=True)


@reads_answer
def read_progress(request: Request, reply: Reply) -> tuple[UploadSession, int] | None:
    """Return the session for the next request, and the number of bytes that the registry has; None if it says none."""
    received = bytes_received(reply.headers.get("Range"))
    if not received or "Location" not in reply.headers:
        return None
    return UploadSession.read(request, reply), received


def bytes_received(stated: str | None) -> int | None:
    """Read an upload's Range header, `0-<offset of the last byte>`; None if it proves nothing.

    Registries send `0-0` for an upload without bytes, though by the specification it means one byte.
    """
    found = _RANGE.fullmatch(stated or "")
    return int(found[1]) + 1 if found and int(found[1]) else None


@reads_answer
def still_open(request: Request, reply: Reply, session: UploadSession) -> UploadSession | None:
    """Return the session by its present address, from the answer to a GET; None if the registry does not have it.

    Raises for a 404 without the registry's code: a proxy without its registry answers it, too.
    """
    if reply.status != HTTPStatus.NOT_FOUND:
        return UploadSession.read(request, reply) if reply.headers.get("Location") else session
    codes = read_error_body(reply.content).codes
    if not _GONE.isdisjoint(codes):
        return None
    if _OUTDATED not in codes:
        raise request.failed(Failure.PROTOCOL, "does not say whether it has the upload", "a 404 without a code")
    return session


def _without_downgrade(registry: URL, url: URL) -> URL:
    """Return the address with https if it differs from the registry's own origin only by plain http.

    A registry behind a proxy that terminates TLS may think that it is addressed over plain http (goharbor/harbor #61,
    distribution #970). The upload still goes to the same server, and never unencrypted.
    """
    downgraded = (registry.scheme, url.scheme) == ("https", "http")
    if not downgraded or origin(url)[1] != origin(registry)[1] or url.port not in (HTTP_PORT, registry.port):
        return url
    return url.with_scheme("https").with_port(registry.explicit_port)
