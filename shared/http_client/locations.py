"""Addresses that a server returns in a Location header, checked before they are followed."""

import string
from urllib.parse import quote

from multidict import CIMultiDictProxy
from yarl import URL

from shared.http_client.boundary import reads_answer
from shared.http_client.failures import Failure
from shared.http_client.request import Request, authority
from shared.network.policy import NetworkPolicy


def origin(url: URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port: two addresses with the same origin belong to the same server."""
    return url.scheme, (url.raw_host or "").lower(), url.port


def redirect_target(request: Request, current: URL, headers: CIMultiDictProxy[str], policy: NetworkPolicy) -> URL:
    """Return the address that the Location of a redirect from `current` leads to.

    Raises if it leads from https to http, to a host that is not listed for plain http, or to no usable address.
    """
    url = resolve_location(request, current, headers)
    if url.scheme == "http" and not (
        current.scheme == "http" and policy.allows_plain(url.raw_host or "", url.port or 0)
    ):
        raise request.failed(Failure.PROTOCOL, "redirects to plain http", authority(url), host=authority(current))
    return url


@reads_answer
def resolve_location(request: Request, current: URL, headers: CIMultiDictProxy[str]) -> URL:
    """Return the absolute address of the Location header in the response from `current`; raises if there is none."""
    location = headers.get("Location")
    if not location:
        raise request.failed(Failure.PROTOCOL, "sent no Location", host=authority(current))
    # Signed queries must arrive unchanged; only characters that a request line cannot hold are encoded.
    safe = quote(location, safe=string.punctuation, errors="surrogateescape")
    try:
        url = current.join(URL(safe, encoded=True))
        usable = url.scheme in ("http", "https") and url.raw_host and url.port and url.raw_user is None
    except ValueError:
        usable = None
    if not usable:
        raise request.failed(Failure.PROTOCOL, "sent a Location that is no address", host=authority(current))
    return url
