"""Harbor's projects: found, made when missing, listed, and what they may hold."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor.addresses import project_path
from shared.harbor.api import BY_NAME, OK_OR_MISSING, HarborApi
from shared.harbor.documents import read_one
from shared.harbor.pages import listed
from shared.harbor.project import Project
from shared.harbor.quota import Quota
from shared.harbor.repository import Repository
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request

PROJECTS = "/projects"
# Older versions say 403 for a project that does not exist, to every account: RequireProjectAccess in
# src/server/v2.0/handler/base.go looks for rights in it, and finds none. Newer ones say 404.
FOUND_OR_NOT = OK_OR_MISSING | {HTTPStatus.FORBIDDEN}
CREATED_OR_NOT = frozenset({HTTPStatus.CREATED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT})


class Projects:
    """The projects that the account may see."""

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    async def ensure(self, name: str) -> bool:
        """Make sure that a project exists; True where it was made just now, private.

        Another process may do the same at the same time. Raises `target_project_missing` where the account may not
        create it, and `target_denied` where it may not see it.
        """
        step = f"looking for project {name}"
        request = self._api.get(project_path(name), step, headers=BY_NAME, accepts=FOUND_OR_NOT)
        found = await self._api.ask(request)
        if found.status == HTTPStatus.OK:
            return False
        return await self._create(name, hidden=found.status == HTTPStatus.FORBIDDEN)

    def all(self) -> AsyncIterator[Project]:
        """Yield every project that the account may see."""
        return listed(self._api, PROJECTS, "listing the projects", Project.from_json, query={"with_detail": "false"})

    def repositories(self, name: str) -> AsyncIterator[Repository]:
        """Yield a project's repositories."""
        path = f"{project_path(name)}/repositories"
        return listed(self._api, path, f"listing the repositories of project {name}", Repository.from_json)

    async def quota(self, name: str) -> Quota | None:
        """Return what a project may hold and holds; None where Harbor does not say it.

        Raises `target_project_missing` where there is no such project.
        """
        path = f"{project_path(name)}/summary"
        request = self._api.get(path, f"reading the quota of {name}", headers=BY_NAME, accepts=OK_OR_MISSING)
        reply = await self._api.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            raise _missing(request, name)
        return read_one(request, reply, Quota.from_summary)

    async def _create(self, name: str, *, hidden: bool) -> bool:
        document = {"project_name": name, "metadata": {"public": "false"}}
        request = self._api.post(PROJECTS, f"creating project {name}", document, CREATED_OR_NOT)
        reply = await self._api.ask(request)
        if reply.status == HTTPStatus.CREATED:
            return True
        if reply.status == HTTPStatus.FORBIDDEN:
            raise self._not_created(request, reply, name, hidden=hidden)
        if hidden:
            raise request.error(
                Failure.DENIED, f"{request.host} has a project {name}, but Longshore's account may not see it."
            )
        return False

    def _not_created(self, request: Request, reply: Reply, name: str, *, hidden: bool) -> LongshoreError:
        refusal = self._api.refused(request, reply)
        if refusal.code != Code.TARGET_DENIED:
            return refusal
        if hidden:
            closed = f"Longshore's account may neither see project {name} of {request.host} nor create it."
            return request.error(Failure.DENIED, closed)
        return _missing(request, name, ", and Longshore's account may not create it")


def _missing(request: Request, name: str, more: str = "") -> LongshoreError:
    return LongshoreError(Code.TARGET_PROJECT_MISSING, f"{request.host} has no project {name}{more}.")
