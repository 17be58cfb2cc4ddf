"""The web console: one page and its files, which use the API as every client does."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from aiohttp import hdrs, web

from shared.errors import LongshoreError

FOLDER = Path(str(resources.files("api_service") / "console" / "static"))
PAGE = "index.html"
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Read once, and closed: no path from outside ever names a file.
FILES: Mapping[str, str] = MappingProxyType(
    {path.name: _MEDIA_TYPES[path.suffix] for path in sorted(FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
)
# Its own files and its own API: no inline script or style, no other host, no frame around it, no form that is sent.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def page_handler(_request: web.Request) -> web.FileResponse:
    """GET /."""
    return _file(PAGE, "text/html")


async def file_handler(request: web.Request) -> web.FileResponse:
    """GET /console/:file."""
    name = request.match_info["file"]
    if name not in FILES:
        raise LongshoreError("route_not_found", "The console has no such file.")
    return _file(name, FILES[name])


def _file(name: str, media_type: str) -> web.FileResponse:
    headers = {
        hdrs.CONTENT_TYPE: f"{media_type}; charset=utf-8",
        # Kept, and asked for again by their ETag: after an upgrade all of them are the new ones.
        hdrs.CACHE_CONTROL: "no-cache",
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    return web.FileResponse(FOLDER / name, headers=headers)
