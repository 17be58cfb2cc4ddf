"""Harbor's API for artifacts and their tags."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

from deploy.local.servers.harbor import errors
from deploy.local.servers.harbor.api.listing import flag, listed
from deploy.local.servers.harbor.api.lookup import ARTIFACT, ARTIFACTS, Lookup, Match, read_document
from deploy.local.servers.harbor.api.views import artifact_view, tag_view
from deploy.local.servers.harbor.artifact import Artifact
from deploy.local.servers.harbor.caller import Caller
from deploy.local.servers.harbor.project import Project, Repository
from deploy.local.servers.harbor.state import State


class Artifacts:
    """The operations of Harbor's API tag `artifact`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lookup = Lookup(state)
        self.routes = (
            ("GET", ARTIFACTS, self._list_artifacts),
            ("GET", ARTIFACT, self._get_artifact),
            ("DELETE", ARTIFACT, self._delete_artifact),
            ("GET", rf"{ARTIFACT}/tags", self._list_tags),
            ("POST", rf"{ARTIFACT}/tags", self._create_tag),
            ("DELETE", rf"{ARTIFACT}/tags/(?P<tag>[^/]+)", self._delete_tag),
        )

    async def _list_artifacts(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project = self._lookup.project(request, caller, match, "read")
        repository = self._lookup.repository(match)
        newest = sorted(repository.listed(), key=lambda artifact: -artifact.id)
        return listed(request, newest, lambda artifact: _shown(request, project, repository, artifact))

    async def _get_artifact(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project, repository, artifact = self._lookup.artifact(request, caller, match, "read")
        return web.json_response(_shown(request, project, repository, artifact))

    async def _delete_artifact(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        """Delete an artifact with all its tags, by tag or digest."""
        project, repository, artifact = self._lookup.artifact(request, caller, match, "delete")
        self._state.delete_artifact(project, repository, artifact.digest)
        return web.Response()

    async def _list_tags(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project, repository, artifact = self._lookup.artifact(request, caller, match, "read")
        newest = sorted(repository.tags_of(artifact.digest), key=lambda tag: -tag.id)
        immutable = flag(request, "with_immutable_status", default=False)
        return listed(request, newest, lambda tag: tag_view(project, repository, tag, immutable=immutable))

    async def _create_tag(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        _, repository, artifact = self._lookup.artifact(request, caller, match, "push")
        name = str((await read_document(request)).get("name", ""))
        if name in repository.tags:
            raise errors.conflict(f"tag {name} already exists")
        self._state.set_tag(repository, name, artifact.digest)
        return web.Response(status=HTTPStatus.CREATED)

    async def _delete_tag(self, request: web.Request, caller: Caller, match: Match) -> web.Response:
        project, repository, artifact = self._lookup.artifact(request, caller, match, "delete")
        self._state.delete_tag(project, repository, artifact.digest, match["tag"])
        return web.Response()


def _shown(request: web.Request, project: Project, repository: Repository, artifact: Artifact) -> dict[str, Any]:
    tags = flag(request, "with_tag", default=True)
    immutable = flag(request, "with_immutable_status", default=False)
    return artifact_view(project, repository, artifact, tags=tags, immutable=immutable)
