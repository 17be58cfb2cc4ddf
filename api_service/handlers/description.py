"""The description of the API: as a document, and as a page that needs nothing from elsewhere."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from aiohttp import hdrs, web

from api_service.keys import DESCRIPTION
from shared.errors import LongshoreError

_FOLDER = Path(str(resources.files("api_service") / "api_page"))
# Closed, so that no path from outside ever names a file.
FILES: Mapping[str, str] = {
    "start.js": "text/javascript",
    "page.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
# Its own files, its own API, and images that stand in its style sheet; no inline script, no frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def document_handler(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=request.app[DESCRIPTION], content_type="application/json")


async def page_handler(_request: web.Request) -> web.FileResponse:
    """GET /docs."""
    return _file("index.html", "text/html")


async def page_file_handler(request: web.Request) -> web.FileResponse:
    """GET /docs/:file."""
    name = request.match_info["file"]
    if name not in FILES:
        raise LongshoreError("route_not_found", "The page has no such file.")
    return _file(name, FILES[name])


def _file(name: str, media_type: str) -> web.FileResponse:
    headers = {
        hdrs.CONTENT_TYPE: f"{media_type}; charset=utf-8",
        # Kept, and asked for again: after an upgrade the page is the new one, and else its two megabytes stay here.
        hdrs.CACHE_CONTROL: "no-cache",
        "Content-Security-Policy": _POLICY,
    }
    return web.FileResponse(_FOLDER / name, headers=headers)
