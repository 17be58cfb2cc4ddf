"""The artifacts and tags of one repository, through Harbor's API."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from shared.harbor.addresses import artifacts_path, segment
from shared.harbor.api import OK_OR_MISSING, HarborApi
from shared.harbor.artifact import Artifact
from shared.harbor.documents import read_list, read_one
from shared.harbor.pages import PAGE_SIZE, listed
from shared.harbor.tag import Tag
from shared.oci.digest import Digest
from shared.oci.reference import check_tag

WITH_IMMUTABLE = {"with_immutable_status": "true"}


class Artifacts:
    """One repository of one project; what is gone already is no error anywhere."""

    def __init__(self, api: HarborApi, project: str, repository: str) -> None:
        self.name = f"{project}/{repository}"
        self._api = api
        self._path = artifacts_path(project, repository)

    async def find(self, reference: str) -> Artifact | None:
        """Return the artifact of a tag or a digest, with all its tags; None where there is none."""
        step = f"reading artifact {self._named(reference)}"
        path = f"{self._path}/{segment(reference)}"
        request = self._api.get(path, step, query=WITH_IMMUTABLE, accepts=OK_OR_MISSING)
        reply = await self._api.ask(request)
        return None if reply.status == HTTPStatus.NOT_FOUND else read_one(request, reply, Artifact.from_json)

    def tags(self, digest: Digest) -> AsyncIterator[Tag]:
        """Yield an artifact's tags; raises `target_not_found` where there is no such artifact."""
        path, step = self._tags(digest)
        return listed(self._api, path, step, Tag.from_json, query=WITH_IMMUTABLE)

    async def some_tags(self, digest: Digest) -> frozenset[str] | None:
        """Return the names of an artifact's tags, of many the first hundred; None where there is no such artifact.

        One request, so that what it answers was true at one moment.
        """
        path, step = self._tags(digest)
        request = self._api.get(path, step, query={"page": 1, "page_size": PAGE_SIZE}, accepts=OK_OR_MISSING)
        reply = await self._api.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        return frozenset(tag.name for tag in read_list(request, reply, Tag.from_json))

    async def delete_tag(self, digest: Digest, tag: str) -> bool:
        """Take a tag from this artifact; False where it did not have it. The artifact stays, if without tags."""
        step = f"deleting tag {tag} of {self._named(str(digest))}"
        path = f"{self._path}/{segment(str(digest))}/tags/{segment(check_tag(tag))}"
        reply = await self._api.ask(self._api.delete(path, step))
        return reply.status == HTTPStatus.OK

    async def delete(self, digest: Digest) -> bool:
        """Delete an artifact with every tag that it has; False where it was gone already.

        Harbor deletes an index's children along, but for those with tags of their own or with another index.
        """
        step = f"deleting artifact {self._named(str(digest))}"
        reply = await self._api.ask(self._api.delete(f"{self._path}/{segment(str(digest))}", step))
        return reply.status == HTTPStatus.OK

    def _tags(self, digest: Digest) -> tuple[str, str]:
        return f"{self._path}/{segment(str(digest))}/tags", f"listing the tags of {self._named(str(digest))}"

    def _named(self, reference: str) -> str:
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"
