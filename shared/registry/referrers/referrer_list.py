"""Reads a page of a manifest's referrers (distribution spec 1.1, "Listing Referrers", end-12a)."""

from http import HTTPStatus

from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.referrer import parse_referrers

# 404 says by the specification that there is no such API. The others are what gateways and registries from before it
# say, all of which have just let us read the manifest itself.
REFERRERS_ANSWERS = frozenset({200, 400, 403, 404, 405, 406, 501})
# Pages of one list; a page of 4 MiB has some ten thousand entries, and no image has as many.
MAX_REFERRER_PAGES = 10
# Entries that are looked at; no import brings as many.
MAX_LISTED = 1000


def read_referrers(request: Request, reply: Reply) -> tuple[Descriptor, ...] | None:
    """Return the page's referrers; None where the registry does not have the API."""
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if reply.status != HTTPStatus.OK or media_type != media_types.OCI_INDEX:
        return None
    try:
        return parse_referrers(reply.content)
    except ValueError as error:
        raise request.failed(Failure.PROTOCOL, "did not send a list of referrers", clean(str(error))) from None
