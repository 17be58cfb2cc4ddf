"""Pagination with Harbor's X-Total-Count and Link (src/server/v2.0/handler/base.go)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote_plus, urlencode

from aiohttp import web

from deploy.local.servers.harbor.errors import unprocessable

DEFAULT_SIZE = 10
LARGEST = 100

T = TypeVar("T")


def listed(request: web.Request, items: Sequence[T], view: Callable[[T], dict[str, Any]]) -> web.Response:
    """Answer with the requested page."""
    page, size = _number(request, "page", 1), _number(request, "page_size", DEFAULT_SIZE)
    if size > LARGEST:
        raise unprocessable(f"page_size in query should be less than or equal to {LARGEST}")
    first = (page - 1) * size
    headers = {"X-Total-Count": str(len(items))}
    links = []
    if page > 1 and first < len(items):
        links.append(_link(request, page - 1, size, "prev"))
    if page * size < len(items):
        links.append(_link(request, page + 1, size, "next"))
    if links:
        headers["Link"] = " , ".join(links)
    return web.json_response([view(item) for item in items[first : first + size]], headers=headers)


def flag(request: web.Request, name: str, *, default: bool) -> bool:
    return {"true": True, "false": False}.get(request.query.get(name, ""), default)


def _link(request: web.Request, page: int, size: int, rel: str) -> str:
    """Return a link with the query unescaped, as Harbor does, even if that breaks it."""
    query = dict(request.query) | {"page": str(page), "page_size": str(size)}
    path = request.raw_path.partition("?")[0]
    return f'<{path}?{unquote_plus(urlencode(sorted(query.items())))}>; rel="{rel}"'


def _number(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    if not value.isdigit():
        raise unprocessable(f'{name} in query must be of type int64: "{value}"')
    return int(value)
