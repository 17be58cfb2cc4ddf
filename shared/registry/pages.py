"""Reads the pages of a registry's lists (distribution spec 1.1): "Listing Tags", end-8; "Listing Referrers", end-12."""

import json
from http import HTTPStatus

from yarl import URL

from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.link_header import next_link
from shared.http_client.locations import origin
from shared.http_client.request import Reply, Request
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.reference import check_tag
from shared.oci.referrer import parse_referrers

# Tags requested per page. Registries may send fewer, and distribution 2.8 sends all tags at once.
TAGS_PER_PAGE = 1000
# Bytes of one page of tags: a hundred thousand tags of usual length.
MAX_TAG_PAGE_SIZE = 4 * 1024 * 1024
# Pages of tags; a longer list is taken for an endless one.
MAX_TAG_PAGES = 100
# By the specification, 404 means that there is no referrers API. The others come from gateways and from registries
# older than the API, all of which have just let Longshore read the manifest itself.
REFERRERS_STATUSES = frozenset({200, 400, 403, 404, 405, 406, 501})
# Pages of one list of referrers; a page of 4 MiB has some ten thousand entries, more than any image has.
MAX_REFERRER_PAGES = 10
# Referrers read from one list; an import copies fewer.
MAX_REFERRERS_LISTED = 1000


@reads_answer
def read_tags(request: Request, reply: Reply) -> tuple[str, ...]:
    """Return the page's tags; none if the repository does not exist, or has none (which Go writes as null)."""
    if reply.status == HTTPStatus.NOT_FOUND:
        return ()
    try:
        listed = json.loads(reply.content)["tags"] or []
        return tuple(check_tag(str(tag)) for tag in listed)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise request.failed(Failure.PROTOCOL, "did not send a list of tags", clean(str(error))) from None


@reads_answer
def read_referrers(request: Request, reply: Reply) -> tuple[Descriptor, ...] | None:
    """Return the page's referrers; None if the registry lacks the referrers API."""
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if reply.status != HTTPStatus.OK or media_type != media_types.OCI_INDEX:
        return None
    try:
        return parse_referrers(reply.content)
    except ValueError as error:
        raise request.failed(Failure.PROTOCOL, "did not send a list of referrers", clean(str(error))) from None


@reads_answer
def next_page(request: Request, reply: Reply) -> URL | None:
    """Return the next page's address, which must be on the same server; None on the last page."""
    link = next_link(reply.headers.getall("Link", []))
    if link is None:
        return None
    try:
        url = request.url.join(URL(link))
    except ValueError:
        raise request.failed(Failure.PROTOCOL, "sent a Link that cannot be read") from None
    if origin(url) != origin(request.url):
        raise request.failed(Failure.PROTOCOL, "sent a Link to another server")
    return url
