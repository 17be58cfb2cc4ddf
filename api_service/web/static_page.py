"""Serves a page and its files from a folder of this package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import hdrs, web

from shared.errors.codes import Code
from shared.errors.error import LongshoreError

PAGE = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticPage:
    """`files` are media types by name; no request can name a file outside this list."""

    name: str
    """Its name in errors."""
    folder: Path
    files: Mapping[str, str]
    policy: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of answers, besides their Content-Security-Policy."""

    def page(self) -> web.FileResponse:
        """Return the page itself."""
        return self._answer(PAGE, "text/html")

    def file(self, name: str) -> web.FileResponse:
        """Return one of its files; raises `route_not_found`."""
        if name not in self.files:
            raise LongshoreError(Code.ROUTE_NOT_FOUND, f"The {self.name} has no such file.")
        return self._answer(name, self.files[name])

    def _answer(self, name: str, media_type: str) -> web.FileResponse:
        headers = {
            hdrs.CONTENT_TYPE: f"{media_type}; charset=utf-8",
            # Browsers revalidate by ETag, so that after an upgrade they load all files anew.
            hdrs.CACHE_CONTROL: "no-cache",
            "Content-Security-Policy": self.policy,
            **self.headers,
        }
        return web.FileResponse(self.folder / name, headers=headers)
