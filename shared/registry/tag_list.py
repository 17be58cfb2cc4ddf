"""Reads a page of a repository's tags (distribution spec, "Listing Tags")."""

import json
import re
from http import HTTPStatus

from yarl import URL

from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.locations import origin
from shared.http_client.request import Reply, Request
from shared.oci.reference import check_tag

# Tags of one page. Registries may send fewer, and distribution 2.8 sends all that there are.
PAGE_SIZE = 1000
# Bytes of one page: a hundred thousand tags of usual length.
MAX_PAGE_BYTES = 4 * 1024 * 1024
# A list that goes on for longer has no end.
MAX_PAGES = 100
_NEXT = re.compile(r"""<([^<>]*)>\s*;[^,]*\brel\s*=\s*"?next\b"?""", re.IGNORECASE)


def read_tags(request: Request, reply: Reply) -> tuple[str, ...]:
    """Return the page's tags; none where the repository does not exist, or has none (which Go writes as null)."""
    if reply.status == HTTPStatus.NOT_FOUND:
        return ()
    try:
        listed = json.loads(reply.content)["tags"] or []
        return tuple(check_tag(str(tag)) for tag in listed)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise request.failed(Failure.PROTOCOL, "did not send a list of tags", clean(str(error))) from None


def next_page(request: Request, reply: Reply) -> URL | None:
    """Return the next page's address, which must be on the same server; None on the last page."""
    links = (found for link in reply.headers.getall("Link", []) if (found := _NEXT.search(link)))
    link = next(links, None)
    if link is None:
        return None
    try:
        url = request.url.join(URL(link[1]))
    except ValueError:
        raise request.failed(Failure.PROTOCOL, "sent a Link that cannot be read") from None
    if origin(url) != origin(request.url):
        raise request.failed(Failure.PROTOCOL, "sent a Link to another server")
    return url
