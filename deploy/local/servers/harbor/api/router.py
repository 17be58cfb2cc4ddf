"""The part of Harbor's API that Longshore uses, and the part that tests and the demo use for the set-up."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web

from deploy.local.servers.harbor import errors
from deploy.local.servers.harbor.api.artifacts import Artifacts
from deploy.local.servers.harbor.api.lookup import BASE
from deploy.local.servers.harbor.api.project_controls import ProjectControls
from deploy.local.servers.harbor.api.projects import Projects
from deploy.local.servers.harbor.api.system import System
from deploy.local.servers.harbor.caller import Caller, identify
from deploy.local.servers.harbor.proxy import Proxy
from deploy.local.servers.harbor.settings import Settings
from deploy.local.servers.harbor.state import State

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Handler = Callable[[web.Request, Caller, re.Match[str]], Awaitable[web.Response]]


class Api:
    """Answers everything below /api/v2.0/."""

    def __init__(self, settings: Settings, state: State, proxy: Proxy) -> None:
        self._settings = settings
        parts = (
            System(state, proxy),
            Projects(settings, state),
            Artifacts(state),
            ProjectControls(state),
        )
        routes: list[tuple[str, str, Handler]] = [route for part in parts for route in part.routes]
        self._routes = [(method, re.compile(pattern), handler) for method, pattern, handler in routes]

    async def handle(self, request: web.Request) -> web.Response:
        """Find the operation and call it.

        The whole path is decoded once, so a repository name must be encoded twice to stay one segment.
        """
        path = unquote(request.raw_path.partition("?")[0])
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path.removeprefix(BASE))
            if match and method == request.method:
                if self._settings.read_only and method not in SAFE_METHODS:
                    raise errors.denied("The system is in read only mode. Any modification is prohibited.")
                return await handler(request, identify(self._settings, request.headers.get("Authorization", "")), match)
        raise errors.not_found(f"path {path} was not found")
