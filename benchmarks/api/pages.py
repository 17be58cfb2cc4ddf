"""The requested pages: the same queries at both sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks.api.fill import ROBOT

PAGE_SIZE = 10
# 10,000 images precede it.
DEEP = 1_000
# The limits: the time of a page with a million images, divided by its time with a thousand.
ANY_SIZE = 2.0
SUBSTRING = 5.0


@dataclass(frozen=True, kw_only=True)
class Page:
    """One query. `limit` is its limit or None; `number` counts from 0, None is the last page."""

    name: str
    number: int | None = 0
    by_name: bool = False
    filters: Mapping[str, str]
    limit: float | None = ANY_SIZE


PAGES = (
    Page(name="first page", filters={}),
    Page(name="page 1,000", filters={}, number=DEEP),
    Page(name="last page", filters={}, number=None, limit=None),
    Page(name="ready, first page", filters={"ready": "true"}),
    Page(name="ready, page 1,000", filters={"ready": "true"}, number=DEEP),
    Page(name="not ready, first page", filters={"ready": "false"}, limit=None),
    Page(name="one user's, first page", filters={"userName": ROBOT}),
    Page(name="one user's, page 1,000", filters={"userName": ROBOT}, number=DEEP),
    Page(name="selective substring", filters={}, by_name=True, limit=SUBSTRING),
)


def path_of(page: Page, number: int, part: str, *, flat: bool) -> str:
    """Return the path of a page; `part` is the substring of names, for pages that filter by name."""
    query = {"page_num": str(number), "page_size": str(PAGE_SIZE), "flat": str(flat).lower(), **page.filters}
    if page.by_name:
        query["tag"] = part
    return f"/api/v1/images?{urlencode(query)}"
