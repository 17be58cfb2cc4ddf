"""What a list of images can be asked for, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Order = Literal["asc", "desc"]
Kind = TypeVar("Kind")

# What the contract's orderBy names mean in SQL. Each has an index of its own, with the id behind it.
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
    """Which images a list holds; None leaves a field open. `tag` is a substring of `repository:tag`."""

    tag: str | None = None
    ready: bool | None = None
    user_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """Which part of a list, in which order; `number` counts from 0."""

    number: int
    size: int
    order_by: str
    order: Order

    @property
    def column(self) -> str:
        """What it is ordered by."""
        return SORT_COLUMNS[self.order_by]

    @property
    def offset(self) -> int:
        """How many images stand before it."""
        return self.number * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageList(Generic[Kind]):
    """One page, and how many images match in all."""

    total: int
    images: list[Kind]
