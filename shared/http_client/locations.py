"""Addresses that a registry hands out: redirects and upload Locations, judged before they are followed."""

import string
from urllib.parse import quote

from yarl import URL

from shared.http_client.failures import Failure
from shared.http_client.request import Request, authority
from shared.network.policy import HTTP_PORT, NetworkPolicy


def origin(url: URL) -> tuple[str, str, int | None]:
    """Return what must be equal for two addresses to belong to the same server."""
    return url.scheme, (url.raw_host or "").lower(), url.port


def redirect_target(request: Request, current: URL, location: str | None, policy: NetworkPolicy) -> URL:
    """Return where a redirect leads.

    Raises where it leads from https to http, to a host not listed for plain http, or nowhere.
    """
    url = _joined(request, current, location)
    if url.scheme == "http" and not (
        current.scheme == "http" and policy.allows_plain(url.raw_host or "", url.port or 0)
    ):
        raise request.failed(Failure.PROTOCOL, "redirects to plain http", authority(url), host=authority(current))
    return url


def upload_location(request: Request, answered: URL, location: str | None) -> URL:
    """Return the address of an upload session, its query untouched; it must be on the registry itself."""
    url = _secured(request.url, _joined(request, answered, location))
    if origin(url) != origin(request.url):
        raise request.failed(
            Failure.PROTOCOL,
            "names another server for the upload",
            f"{url.scheme}://{authority(url)}; the registry has to be addressed by the name that it gives itself",
        )
    return url


def with_digest(location: URL, digest: str) -> URL:
    """Add the digest to an upload session's address without touching the state in its query."""
    address = str(location.with_fragment(None))
    joint = "&" if location.raw_query_string else "?"
    return URL(f"{address}{joint}digest={digest}", encoded=True)


def _secured(own: URL, url: URL) -> URL:
    """Return the address under TLS where it is the registry's own but for that.

    A registry behind a proxy that ends TLS may take itself for one of plain http (goharbor/harbor #61, distribution
    #970). What is sent stays where it would have gone, and never goes there in clear.
    """
    downgraded = (own.scheme, url.scheme) == ("https", "http")
    if not downgraded or origin(url)[1] != origin(own)[1] or url.port not in (HTTP_PORT, own.port):
        return url
    return url.with_scheme("https").with_port(own.explicit_port)


def _joined(request: Request, current: URL, location: str | None) -> URL:
    if not location:
        raise request.failed(Failure.PROTOCOL, "gave no Location", host=authority(current))
    # Signed queries must arrive as they were given; only what may not stand in a request line is encoded.
    safe = quote(location, safe=string.punctuation, errors="surrogateescape")
    try:
        url = current.join(URL(safe, encoded=True))
        usable = url.scheme in ("http", "https") and url.raw_host and url.port and url.raw_user is None
    except ValueError:
        usable = None
    if not usable:
        raise request.failed(Failure.PROTOCOL, "gave a Location that is no address", host=authority(current))
    return url
