"""Harbor's paginated lists.

Longshore reads from the Link header only whether there is a next page, and never requests the address in it: it could
lead to another server, and Harbor unescapes its query (src/server/v2.0/handler/base.go), so that it may not be a valid
address. The next page is the same request with the next number.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from multidict import CIMultiDictProxy

from shared.harbor.api import HarborApi
from shared.harbor.documents import Document, read_list
from shared.http_client.boundary import reads_answer
from shared.http_client.failures import Failure
from shared.http_client.link_header import has_next_link
from shared.http_client.request import Reply, Request

T = TypeVar("T")

# Entries of one page: Harbor's maximum.
PAGE_SIZE = 100
# Pages of one list: 200 thousand entries, ten times the repositories of a large Harbor. Bounds an endless list.
MAX_PAGES = 2000
TOTAL_HEADER = "X-Total-Count"
# Digits of a total that are read: more than any list has entries.
MAX_TOTAL_DIGITS = 18


async def list_all(
    api: HarborApi,
    path: str,
    step: str,
    parse: Callable[[Document], T],
    *,
    query: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[T]:
    """Yield every entry of a list; a list that changes meanwhile may yield an entry twice, or miss one."""
    for page in range(1, MAX_PAGES + 1):
        request = api.get(path, step, query={**(query or {}), "page": page, "page_size": PAGE_SIZE}, headers=headers)
        reply = await api.send(request)
        entries = read_list(request, reply, parse)
        for entry in entries:
            yield entry
        if not entries or not _has_next(request, reply, page, len(entries)):
            return
    raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_PAGES} pages")


@reads_answer
def _has_next(_request: Request, reply: Reply, page: int, length: int) -> bool:
    if has_next_link(reply.headers.getall("Link", [])):
        return True
    total = _total(reply.headers)
    return length == PAGE_SIZE if total is None else page * PAGE_SIZE < total


def _total(headers: CIMultiDictProxy[str]) -> int | None:
    value = headers.get(TOTAL_HEADER, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= MAX_TOTAL_DIGITS else None
