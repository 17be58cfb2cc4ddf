"""The artifacts and tags of one repository, through Harbor's API."""

from http import HTTPStatus

from shared.harbor.addresses import artifacts_path, segment
from shared.harbor.api import OK_OR_MISSING, HarborApi
from shared.harbor.documents import Document, read_list, read_one, text
from shared.harbor.pages import PAGE_SIZE
from shared.oci.digest import Digest
from shared.oci.reference import check_tag


class Artifacts:
    """One repository of one project; what is gone already is no error anywhere."""

    def __init__(self, api: HarborApi, project: str, repository: str) -> None:
        self.name = f"{project}/{repository}"
        self._api = api
        self._path = artifacts_path(project, repository)

    async def find(self, reference: str) -> Digest | None:
        """Return the digest of the artifact that a tag or a digest names; None where there is none."""
        step = f"reading artifact {self._named(reference)}"
        path = f"{self._path}/{segment(reference)}"
        request = self._api.get(path, step, accepts=OK_OR_MISSING)
        reply = await self._api.ask(request)
        return None if reply.status == HTTPStatus.NOT_FOUND else read_one(request, reply, _digest)

    async def some_tags(self, digest: Digest) -> frozenset[str] | None:
        """Return the names of an artifact's tags, of many the first hundred; None where there is no such artifact.

        One request, so that what it answers was true at one moment.
        """
        path, step = f"{self._path}/{segment(str(digest))}/tags", f"listing the tags of {self._named(str(digest))}"
        request = self._api.get(path, step, query={"page": 1, "page_size": PAGE_SIZE}, accepts=OK_OR_MISSING)
        reply = await self._api.ask(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        return frozenset(read_list(request, reply, _name))

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

    def _named(self, reference: str) -> str:
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"


def _digest(artifact: Document) -> Digest:
    return Digest.parse(text(artifact, "digest"))


def _name(tag: Document) -> str:
    return text(tag, "name")
