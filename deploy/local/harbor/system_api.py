"""Harbor's API about itself: health, systeminfo, statistics."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from deploy.local.harbor.caller import Caller
from deploy.local.harbor.lookup import Match, require_account
from deploy.local.harbor.project import Project
from deploy.local.harbor.proxy import Proxy
from deploy.local.harbor.settings import Settings
from deploy.local.harbor.state import State

VERSION = "v2.14.0-standin"
COMPONENTS = ("core", "database", "jobservice", "portal", "redis", "registry", "registryctl")
WITH_REGISTRY = ("registry", "registryctl")


class SystemApi:
    """Operations of the tags health, systeminfo and statistic."""

    def __init__(self, settings: Settings, state: State, proxy: Proxy) -> None:
        self._settings = settings
        self._state = state
        self._proxy = proxy
        self.routes = (
            ("GET", "/health", self._health),
            ("GET", "/systeminfo", self._system_info),
            ("GET", "/statistics", self._statistics),
        )

    async def _health(self, _: web.Request, __: Caller, ___: Match) -> web.Response:
        healthy = await self._proxy.alive()
        broken = {"registry": "unhealthy", "registryctl": "unhealthy"} if not healthy else {}
        names = ("core", "database", "jobservice", "portal", "redis", "registry", "registryctl")
        components = [{"name": name, "status": broken.get(name, "healthy")} for name in names]
        for component in components:
            if component["status"] != "healthy":
                component["error"] = "failed to check health: connection refused"
        return web.json_response({"status": "healthy" if healthy else "unhealthy", "components": components})

    async def _system_info(self, request: web.Request, caller: Caller, _: Match) -> web.Response:
        info: dict[str, Any] = {"auth_mode": "db_auth", "self_registration": False, "primary_auth_mode": False}
        if caller.name:
            info |= {
                "harbor_version": VERSION,
                "external_url": f"{request.scheme}://{request.host}",
                "registry_url": request.host,
                "project_creation_restriction": self._settings.creation,
                "read_only": self._settings.read_only,
            }
        return web.json_response(info)

    async def _statistics(self, _: web.Request, caller: Caller, __: Match) -> web.Response:
        """Tell totals to a system administrator alone; members are users, so a robot sees public projects only."""
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
