"""Harbor's API for quotas and immutable tags, which tests and the demo use to set up a project."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from deploy.local.servers.harbor import errors
from deploy.local.servers.harbor.api.listing import listed
from deploy.local.servers.harbor.api.lookup import RULES, Lookup, Match, read_document, require_admin
from deploy.local.servers.harbor.api.views import quota_view
from deploy.local.servers.harbor.caller import Caller
from deploy.local.servers.harbor.rules import Rule
from deploy.local.servers.harbor.state import State


class ProjectControls:
    """The operations of Harbor's API tags `quota` and `immutable`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lookup = Lookup(state)
        self.routes = (
            ("GET", "/quotas", self._list_quotas),
            ("PUT", r"/quotas/(?P<id>\d+)", self._update_quota),
            ("GET", RULES, self._list_rules),
            ("POST", RULES, self._create_rule),
            ("DELETE", rf"{RULES}/(?P<id>\d+)", self._delete_rule),
        )

    async def _list_quotas(self, request: web.Request, caller: Caller, _: Match) -> web.Response:
        require_admin(caller)
        wanted = request.query.get("reference_id")
        found = [project for project in self._state.projects.values() if wanted in (None, str(project.id))]
        return listed(request, found, quota_view)

    async def _update_quota(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        require_admin(caller)
        hard = (await read_document(request)).get("hard")
        found = [project for project in self._state.projects.values() if project.id == int(match["id"])]
        if not found:
            raise errors.not_found(f"quota {match['id']} not found")
        if not isinstance(hard, dict) or not isinstance(hard.get("storage"), int):
            raise errors.bad_request("hard required in body")
        found[0].hard = hard["storage"]
        return web.Response()

    async def _list_rules(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project = self._lookup.project(request, caller, match, "configure")
        return listed(request, list(project.rules.items()), lambda item: {**item[1].document, "id": item[0]})

    async def _create_rule(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project = self._lookup.project(request, caller, match, "configure")
        try:
            rule = Rule.from_json(await read_document(request))
        except (KeyError, IndexError, TypeError):
            raise errors.bad_request("a rule needs a repository selector and a tag selector") from None
        number = self._state.next_id()
        project.rules[number] = rule
        return web.Response(status=HTTPStatus.CREATED, headers={"Location": f"{request.path}/{number}"})

    async def _delete_rule(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project = self._lookup.project(request, caller, match, "configure")
        if project.rules.pop(int(match["id"]), None) is None:
            raise errors.not_found(f"immutable rule {match['id']} not found")
        return web.Response()
