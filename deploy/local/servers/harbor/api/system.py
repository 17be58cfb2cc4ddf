"""Harbor's API for health and statistics."""

from __future__ import annotations

from aiohttp import web

from deploy.local.servers.harbor.api.lookup import Match, require_account
from deploy.local.servers.harbor.caller import Caller
from deploy.local.servers.harbor.project import Project
from deploy.local.servers.harbor.proxy import Proxy
from deploy.local.servers.harbor.state import State

COMPONENTS = ("core", "database", "jobservice", "portal", "redis", "registry", "registryctl")
WITH_REGISTRY = ("registry", "registryctl")


class System:
    """The operations of Harbor's API tags `health` and `statistic`."""

    def __init__(self, state: State, proxy: Proxy) -> None:
        self._state = state
        self._proxy = proxy
        self.routes = (
            ("GET", "/health", self._health),
            ("GET", "/statistics", self._statistics),
        )

    async def _health(self, _: web.Request, __: Caller, ___: Match) -> web.Response:
        healthy = await self._proxy.alive()
        components = [
            {"name": name, "status": "healthy"}
            if healthy or name not in WITH_REGISTRY
            else {"name": name, "status": "unhealthy", "error": "failed to check health: connection refused"}
            for name in COMPONENTS
        ]
        return web.json_response({"status": "healthy" if healthy else "unhealthy", "components": components})

    async def _statistics(self, _: web.Request, caller: Caller, __: Match) -> web.Response:
        """Return totals only to a system administrator. Members are users, so a robot sees only public projects."""
        require_account(caller)
        projects = list(self._state.projects.values())
        public = [project for project in projects if project.public]
        private = [project for project in projects if not project.public]
        mine = private if caller.admin else [p for p in private if not caller.robot and caller.can("read", p)]
        total = projects if caller.admin else []
        return web.json_response(
            {
                "public_project_count": len(public),
                "public_repo_count": _repositories(public),
                "private_project_count": len(mine),
                "private_repo_count": _repositories(mine),
                "total_project_count": len(total),
                "total_repo_count": _repositories(total),
                "total_storage_consumption": sum(self._state.blobs.values()) if caller.admin else 0,
            }
        )


def _repositories(projects: list[Project]) -> int:
    return sum(len(project.repositories) for project in projects)
