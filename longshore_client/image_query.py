"""Which images a list is to have."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """Filters and order. `tag` is a part of `repository:tag` in any case; None leaves a filter out."""

    tag: str | None = None
    ready: bool | None = None
    user: str | None = None
    order_by: str = "createdTime"
    descending: bool = True

    def parameters(self, page: int, size: int) -> Mapping[str, str]:
        """Return the query of one page; pages count from 0."""
        given = {
            "tag": self.tag,
            "ready": None if self.ready is None else str(self.ready).lower(),
            "userName": self.user,
            "orderBy": self.order_by,
            "order": "desc" if self.descending else "asc",
            "page_num": str(page),
            "page_size": str(size),
        }
        return {name: value for name, value in given.items() if value is not None}
