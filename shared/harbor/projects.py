"""Harbor's projects, with their repositories and quotas. A repository's name begins with its project."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor.addresses import project_path
from shared.harbor.api import BY_NAME, OK_OR_MISSING, HarborApi
from shared.harbor.documents import Document, count, read_one, text
from shared.harbor.pages import list_all
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request

PROJECTS = "/projects"
# Older versions answer 403 for a project that does not exist, to every account: RequireProjectAccess in
# src/server/v2.0/handler/base.go looks for permissions in it, and finds none. Newer ones answer 404.
FOUND_OR_NOT = OK_OR_MISSING | {HTTPStatus.FORBIDDEN}
CREATED_OR_NOT = frozenset({HTTPStatus.CREATED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT})
# Harbor's value for a project without a limit.
UNLIMITED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project; `repo_count` is the number of its repositories."""

    name: str
    repo_count: int

    @classmethod
    def from_json(cls, document: Document) -> "Project":
        return cls(name=text(document, "name"), repo_count=count(document, "repo_count"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository in a list; `artifact_count` leaves out artifacts that only an index refers to."""

    name: str
    artifact_count: int

    @classmethod
    def from_json(cls, document: Document) -> "Repository":
        return cls(name=text(document, "name"), artifact_count=count(document, "artifact_count"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bytes. `hard` is None without a limit; `used` may be above `hard` after an administrator lowered the limit."""

    hard: int | None
    used: int

    @classmethod
    def from_summary(cls, document: Document) -> "Quota | None":
        """Read a project's summary; None where Harbor's quotas are off or hidden from the account."""
        quota = document.get("quota")
        if not isinstance(quota, dict):
            return None
        hard, used = quota.get("hard"), quota.get("used")
        used = used if isinstance(used, dict) else {}
        return cls(hard=_limit(hard if isinstance(hard, dict) else {}), used=count(used, "storage"))


class Projects:
    """The projects that the account can see."""

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    async def ensure(self, name: str) -> bool:
        """Create the project, private, unless it exists; return True where this call created it.

        Other processes may do the same at the same time. Raises `target_project_missing` where the account is not
        allowed to create it, and `target_denied` where the account cannot see it.
        """
        status = await self._look_for(name)
        if status == HTTPStatus.OK:
            return False
        return await self._create(name, hidden=status == HTTPStatus.FORBIDDEN)

    async def exists(self, name: str) -> bool | None:
        """Return whether there is such a project; None where Harbor does not say it to this account."""
        status = await self._look_for(name)
        return None if status == HTTPStatus.FORBIDDEN else status == HTTPStatus.OK

    def all(self) -> AsyncIterator[Project]:
        """Yield every project that the account can see."""
        return list_all(self._api, PROJECTS, "listing the projects", Project.from_json, query={"with_detail": "false"})

    def repositories(self, name: str) -> AsyncIterator[Repository]:
        """Yield a project's repositories."""
        path = f"{project_path(name)}/repositories"
        return list_all(self._api, path, f"listing the repositories of project {name}", Repository.from_json)

    async def quota(self, name: str) -> Quota | None:
        """Return a project's quota; None where Harbor does not report it.

        Raises `target_project_missing` where there is no such project.
        """
        path = f"{project_path(name)}/summary"
        request = self._api.get(path, f"reading the quota of {name}", headers=BY_NAME, accepts=OK_OR_MISSING)
        reply = await self._api.send(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            raise _missing(request, name)
        return read_one(request, reply, Quota.from_summary)

    async def _look_for(self, name: str) -> int:
        request = self._api.get(
            project_path(name), f"looking for project {name}", headers=BY_NAME, accepts=FOUND_OR_NOT
        )
        return (await self._api.send(request)).status

    async def _create(self, name: str, *, hidden: bool) -> bool:
        document = {"project_name": name, "metadata": {"public": "false"}}
        request = self._api.post(PROJECTS, f"creating project {name}", document, CREATED_OR_NOT)
        reply = await self._api.send(request)
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
        error = self._api.error(request, reply)
        if error.code != Code.TARGET_DENIED:
            return error
        if hidden:
            detail = f"Longshore's account may neither see project {name} of {request.host} nor create it."
            return request.error(Failure.DENIED, detail)
        return _missing(request, name, ", and Longshore's account may not create it")


def _limit(hard: Document) -> int | None:
    return None if hard.get("storage", UNLIMITED) == UNLIMITED else count(hard, "storage")


def _missing(request: Request, name: str, more: str = "") -> LongshoreError:
    return LongshoreError(Code.TARGET_PROJECT_MISSING, f"{request.host} has no project {name}{more}.")
