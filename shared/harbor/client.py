"""Harbor's client: one Harbor under one account, over one guarded session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.harbor.api import HarborApi
from shared.harbor.artifacts import Artifacts
from shared.harbor.delete_image import Removal, delete_tag_or_artifact
from shared.harbor.documents import read_one
from shared.harbor.projects import Projects
from shared.harbor.system import Health, Statistics
from shared.http_client.session import Outgoing, open_outgoing
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.digest import Digest

__all__ = ["Harbor", "Removal", "open_harbor"]

# Projects whose repositories are listed at the same time. Harbor counts the artifacts of each repository again for
# every page, which is expensive.
PROJECTS_AT_ONCE = 4


@asynccontextmanager
async def open_harbor(policy: NetworkPolicy, host: str, credential: Credential | None) -> AsyncIterator["Harbor"]:
    """Open the client for the Harbor at `host[:port]`; closes every connection at the end.

    The policy is the target's: trusted, because the operator named the host.
    """
    async with open_outgoing(policy) as outgoing:
        yield Harbor(outgoing, host, credential)


class Harbor:
    """Every failure is a LongshoreError of the target's side."""

    def __init__(self, outgoing: Outgoing, host: str, credential: Credential | None) -> None:
        self._api = HarborApi(outgoing, host, credential)
        self.projects = Projects(self._api)

    async def health(self) -> Health:
        """Return Harbor's health; requested without the account, which may be the broken part."""
        request = self._api.get("/health", "asking for its health")
        return read_one(request, await self._api.send(request, anonymous=True), Health.from_json)

    async def statistics(self) -> Statistics:
        """Return the figures that the account can see; raises `target_denied` for an account that Harbor does not know.

        This is therefore the request that checks an account: Harbor answers most others, less fully, to anyone.
        """
        request = self._api.get("/statistics", "asking for its statistics")
        return read_one(request, await self._api.send(request), Statistics.from_json)

    async def ensure_project(self, name: str) -> bool:
        """Create a project, private, unless it exists; return True where this call created it."""
        return await self.projects.ensure(name)

    async def count_artifacts(self, project: str | None = None) -> int:
        """Return the number of artifacts of one project, or of all that the account can see.

        The platforms of a multi-platform image do not count separately. Harbor has no such figure: it is the sum over
        all repositories, a hundred per request.
        """
        if project is not None:
            return await self._artifacts_of(project)
        names = [found.name async for found in self.projects.all() if found.repo_count]
        limit = asyncio.Semaphore(PROJECTS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                counts = [group.create_task(self._counted(name, limit)) for name in names]
        except ExceptionGroup as failed:
            # The others were cancelled; the first error is clearer than a group of similar ones.
            raise failed.exceptions[0] from None
        return sum(count.result() for count in counts)

    def artifacts(self, project: str, repository: str) -> Artifacts:
        """Return one repository, by its project and its name there; raises ValueError for an invalid name."""
        return Artifacts(self._api, project, repository)

    async def delete_tag_or_artifact(self, project: str, repository: str, digest: Digest, tag: str) -> Removal:
        """Delete one image and no other tag; see `shared.harbor.delete_image`."""
        return await delete_tag_or_artifact(self.artifacts(project, repository), digest, tag)

    async def _counted(self, name: str, limit: asyncio.Semaphore) -> int:
        async with limit:
            return await self._artifacts_of(name)

    async def _artifacts_of(self, project: str) -> int:
        # By name, because an entry appears twice where the list shifts between two pages.
        counts = {found.name: found.artifact_count async for found in self.projects.repositories(project)}
        return sum(counts.values())
