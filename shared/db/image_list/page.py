"""The parameters and the result of an image list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Order = Literal["asc", "desc"]
Row = TypeVar("Row")

# The column behind each `orderBy` name of the contract. Each column has an index of its own that ends in the id.
SORT_COLUMNS: Mapping[str, str] = {
    "createdTime": "created_at",
    "created_at": "created_at",
    "tag": "tag",
    "repo": "repository",
    "size": "size",
    "userName": "created_by",
    "created_by": "created_by",
    "status": "status",
    "id": "id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Selects images; None does not restrict a field. `tag` is a substring of `repository:tag`."""

    tag: str | None = None
    ready: bool | None = None
    user_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """Selects a part of a list, and its order; `number` counts from 0."""

    number: int
    size: int
    order_by: str
    order: Order

    @property
    def column(self) -> str:
        """The column that the list is ordered by."""
        return SORT_COLUMNS[self.order_by]

    @property
    def offset(self) -> int:
        """The number of images before the page."""
        return self.number * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageList(Generic[Row]):
    """One page; `total` is the number of all matching images."""

    total: int
    images: list[Row]
