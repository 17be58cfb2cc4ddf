"""Harbor's API for projects and their repositories."""

from __future__ import annotations

import re
from http import HTTPStatus

from aiohttp import web

from deploy.local.servers.harbor import errors
from deploy.local.servers.harbor.api.listing import listed
from deploy.local.servers.harbor.api.lookup import (
    BASE,
    PROJECT,
    REPOSITORIES,
    Lookup,
    Match,
    read_document,
    require_account,
)
from deploy.local.servers.harbor.api.views import project_view, repository_view, summary_view
from deploy.local.servers.harbor.caller import ANY, Caller
from deploy.local.servers.harbor.settings import Settings
from deploy.local.servers.harbor.state import State

PROJECT_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


class Projects:
    """The operations of Harbor's API tags `project` and `repository`."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._lookup = Lookup(state)
        self.routes = (
            ("GET", "/projects", self._list_projects),
            ("POST", "/projects", self._create_project),
            ("GET", PROJECT, self._get_project),
            ("GET", rf"{PROJECT}/summary", self._summary),
            ("GET", REPOSITORIES, self._list_repositories),
        )

    async def _list_projects(self, request: web.Request, caller: Caller, _: Match) -> web.Response:
        """List the projects that the caller may read; without an account, or with a wrong password, the public ones."""
        name = request.query.get("name", "")
        seen = [project for project in self._state.projects.values() if caller.can("read", project)]
        named = sorted((project for project in seen if name in project.name), key=lambda project: project.name)
        return listed(request, named, project_view)

    async def _create_project(self, request: web.Request, caller: Caller, _: Match) -> web.Response:
        require_account(caller)
        document = await read_document(request)
        if caller.robot and not caller.system:
            raise errors.forbidden("Only system level robot can create project")
        creators = caller.rights.get(ANY, frozenset())
        if self._settings.creation == "adminonly" and not caller.admin and "create" not in creators:
            raise errors.forbidden("Only system admin can create project")
        name = str(document.get("project_name", ""))
        if not PROJECT_NAME.fullmatch(name):
            raise errors.bad_request(f"project name {name!r} is not legal")
        public = (document.get("metadata") or {}).get("public") == "true"
        owner = "" if caller.robot else caller.name
        hard = self._hard(document.get("storage_limit"), caller)
        project = self._state.create_project(name, public=public, hard=hard, owner=owner)
        return web.Response(status=HTTPStatus.CREATED, headers={"Location": f"{BASE}/projects/{project.id}"})

    def _hard(self, wanted: object, caller: Caller) -> int:
        """Return the quota of a new project: only an administrator chooses it, and 0 means the default."""
        usual = -1 if self._settings.quota is None else self._settings.quota
        return wanted if caller.admin and isinstance(wanted, int) and wanted else usual

    async def _get_project(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        return web.json_response(project_view(self._lookup.project(request, caller, match, "read")))

    async def _summary(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        """Include the quota only for callers that may read quotas, which robots rarely may, and if quotas are on."""
        project = self._lookup.project(request, caller, match, "read")
        shown = self._settings.quota is not None and caller.can("quota", project)
        return web.json_response(summary_view(project, quota=shown))

    async def _list_repositories(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project = self._lookup.project(request, caller, match, "read")
        newest = sorted(project.repositories.values(), key=lambda repository: -repository.id)
        return listed(request, newest, lambda repository: repository_view(project, repository))
