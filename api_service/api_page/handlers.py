"""Handlers of the API's description: the document, and a page that loads nothing from other hosts."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from aiohttp import web

from api_service.web.keys import DESCRIPTION
from api_service.web.static_page import StaticPage

_FOLDER = Path(str(resources.files("api_service") / "api_page"))
FILES: Mapping[str, str] = {
    "start.js": "text/javascript",
    "page.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
# Its own files, its own API, and images inside its style sheet; no inline script, no frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = StaticPage(name="page", folder=_FOLDER, files=FILES, policy=_POLICY)


async def document_handler(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=request.app[DESCRIPTION], content_type="application/json")


async def page_handler(_request: web.Request) -> web.FileResponse:
    """GET /docs."""
    return _PAGE.page()


async def page_file_handler(request: web.Request) -> web.FileResponse:
    """GET /docs/:file."""
    return _PAGE.file(request.match_info["file"])
