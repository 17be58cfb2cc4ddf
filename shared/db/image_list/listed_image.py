"""An image as lists show it, which is less than there is. Tuples, because a page makes up to two hundred of them.

`created_ms` are milliseconds since 1970: a list reads so many times that making datetimes of them would show.
"""

from collections.abc import Mapping
from typing import NamedTuple


class BriefImage(NamedTuple):
    """What the flat form shows."""

    id: int
    repository: str
    tag: str
    description: str
    created_ms: int
    created_by: str


class ListedImage(NamedTuple):
    """What the grouped form shows. `digest` is None until the image was ready once."""

    id: int
    repository: str
    tag: str
    description: str
    created_ms: int
    created_by: str
    registry_host: str
    status: str
    source: str
    digest: str | None
    size: int
    architecture: str
    os: str
    platforms: list[str]
    include_type: str


# Fields that are not columns.
EXPRESSIONS: Mapping[str, str] = {"created_ms": "floor(extract(epoch FROM created_at) * 1000)::bigint AS created_ms"}


def columns_of(kind: type[NamedTuple]) -> str:
    """Return what to select from `images` for the fields of a kind, in their order."""
    return ", ".join(EXPRESSIONS.get(name, name) for name in kind._fields)
