"""Lists that Harbor gives page by page.

Its Link header says whether there is a next page, and nothing more: the address in it is never called. It could lead
to another server, and Harbor unescapes the query in it (src/server/v2.0/handler/base.go), so that it may not even be an
address any longer. The next page is the same request with the next number.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from multidict import CIMultiDictProxy

from shared.harbor.api import HarborApi
from shared.harbor.documents import Document, read_list
from shared.http_client.failures import Failure
from shared.http_client.request import Reply

T = TypeVar("T")

# Entries of one page: the most that Harbor gives.
PAGE_SIZE = 100
# Pages of one list: 200 thousand entries, ten times the repositories of a large Harbor. A list without an end stops.
MAX_PAGES = 2000
TOTAL_HEADER = "X-Total-Count"
_NEXT = re.compile(r""";\s*rel\s*=\s*"?next"?""", re.IGNORECASE)


async def listed(
    api: HarborApi,
    path: str,
    step: str,
    parse: Callable[[Document], T],
    *,
    query: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[T]:
    """Yield every entry of a list; one that changes meanwhile may show an entry twice, or miss one."""
    for page in range(1, MAX_PAGES + 1):
        request = api.get(path, step, query={**(query or {}), "page": page, "page_size": PAGE_SIZE}, headers=headers)
        reply = await api.ask(request)
        entries = read_list(request, reply, parse)
        for entry in entries:
            yield entry
        if not entries or not _goes_on(reply, page, len(entries)):
            return
    raise request.failed(Failure.PROTOCOL, f"listed more than {MAX_PAGES} pages")


def _goes_on(reply: Reply, page: int, length: int) -> bool:
    if any(_NEXT.search(link) for link in reply.headers.getall("Link", [])):
        return True
    found = _total(reply.headers)
    return length == PAGE_SIZE if found is None else page * PAGE_SIZE < found


def _total(headers: CIMultiDictProxy[str]) -> int | None:
    value = headers.get(TOTAL_HEADER, "").strip()
    return int(value) if value.isascii() and value.isdigit() else None
