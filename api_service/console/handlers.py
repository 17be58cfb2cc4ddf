"""Handlers of the web console: a page and its files, which call the API like any client."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from api_service.web.static_page import StaticPage

FOLDER = Path(str(resources.files("api_service") / "console" / "static"))
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Read once.
FILES: Mapping[str, str] = MappingProxyType(
    {path.name: _MEDIA_TYPES[path.suffix] for path in sorted(FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
)
# Its own files and its own API: no inline script or style, no other host, no frame around it, no form that is sent.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = StaticPage(
    name="console",
    folder=FOLDER,
    files=FILES,
    policy=POLICY,
    headers={
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    },
)


async def page_handler(_request: web.Request) -> web.FileResponse:
    """GET /."""
    return _PAGE.page()


async def file_handler(request: web.Request) -> web.FileResponse:
    """GET /console/:file."""
    return _PAGE.file(request.match_info["file"])
