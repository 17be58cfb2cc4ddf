"""Finds the objects that a path of Harbor's API names, and checks the caller's rights."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from deploy.local.servers.harbor import errors
from deploy.local.servers.harbor.artifact import Artifact
from deploy.local.servers.harbor.caller import Caller
from deploy.local.servers.harbor.project import Project, Repository
from deploy.local.servers.harbor.state import State

Match = re.Match[str]

# Paths of the API, as patterns for a path that was decoded once.
BASE = "/api/v2.0"
PROJECT = r"/projects/(?P<project>[^/]+)"
REPOSITORIES = rf"{PROJECT}/repositories"
ARTIFACTS = rf"{REPOSITORIES}/(?P<repository>[^/]+)/artifacts"
ARTIFACT = rf"{ARTIFACTS}/(?P<reference>[^/]+)"
RULES = rf"{PROJECT}/immutabletagrules"


class Lookup:
    """Raises HarborError: 404 for a missing object, 401 and 403 for a caller without the right."""

    def __init__(self, state: State) -> None:
        self._state = state

    def project(self, request: web.Request, caller: Caller, match: Match, action: str) -> Project:
        """Return the project of a path, by id unless the request marks it as a name."""
        named = match["project"]
        by_name = request.headers.get("X-Is-Resource-Name", "").lower() == "true" or "repository" in match.groupdict()
        ids = {str(project.id): project.name for project in self._state.projects.values()}
        project = self._state.project(named if by_name else ids.get(named, named))
        if not caller.can(action, project):
            raise errors.forbidden() if caller.name else errors.unauthorized()
        return project

    def repository(self, match: Match) -> Repository:
        return self._state.repository(_repository_name(match))

    def artifact(
        self, request: web.Request, caller: Caller, match: Match, action: str
    ) -> tuple[Project, Repository, Artifact]:
        """Return an artifact by tag or digest, with its project and repository."""
        project = self.project(request, caller, match, action)
        artifact = self._state.artifact(_repository_name(match), match["reference"])
        return project, self.repository(match), artifact


def require_account(caller: Caller) -> None:
    if not caller.name:
        raise errors.unauthorized()


def require_admin(caller: Caller) -> None:
    require_account(caller)
    if not caller.admin:
        raise errors.forbidden()


async def read_document(request: web.Request) -> dict[str, Any]:
    """Read a request's JSON object."""
    try:
        document = json.loads(await request.read())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise errors.bad_request("the request's body is not a JSON object")
    return document


def _repository_name(match: Match) -> str:
    """Decode the repository's name a second time, as Harbor's handlers do (unescapePathParams)."""
    return f"{match['project']}/{unquote(match['repository'])}"
