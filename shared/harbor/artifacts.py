"""The artifacts and tags of one repository, through Harbor's API."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from shared.harbor.addresses import artifacts_path, segment
from shared.harbor.api import OK_OR_MISSING, HarborApi
from shared.harbor.documents import Document, objects, optional_text, read_list, read_one, text
from shared.harbor.pages import PAGE_SIZE
from shared.http_client.request import Request
from shared.http_client.unreadable import reads_hint
from shared.oci.digest import Digest
from shared.oci.reference import check_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedArtifact:
    """The digest of a tag's artifact, and when the tag was pushed, or moved, to it; None if Harbor does not say."""

    digest: Digest
    pushed_at: datetime | None


class Artifacts:
    """One repository of one project; an artifact or tag that is already gone is no error in any method."""

    def __init__(self, api: HarborApi, project: str, repository: str) -> None:
        self.name = f"{project}/{repository}"
        self._api = api
        self._path = artifacts_path(project, repository)

    async def find(self, reference: str) -> Digest | None:
        """Return the digest of the artifact that a tag or a digest names; None where there is none."""
        request = self._read(reference)
        reply = await self._api.send(request)
        return None if reply.status == HTTPStatus.NOT_FOUND else read_one(request, reply, _digest)

    async def look_up_tag(self, tag: str) -> TaggedArtifact | None:
        """Return what a tag points to, and since when, in one try; None where there is no such tag."""
        request = self._read(check_tag(tag))
        reply = await self._api.send_once(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        return read_one(
            request,
            reply,
            lambda artifact: TaggedArtifact(digest=_digest(artifact), pushed_at=_pushed_at(artifact, tag)),
        )

    async def some_tags(self, digest: Digest) -> frozenset[str] | None:
        """Return the names of an artifact's tags, at most the first hundred; None where there is no such artifact.

        One request, so that its result was true at one moment.
        """
        path, step = f"{self._path}/{segment(str(digest))}/tags", f"listing the tags of {self._full_name(str(digest))}"
        request = self._api.get(path, step, query={"page": 1, "page_size": PAGE_SIZE}, accepts=OK_OR_MISSING)
        reply = await self._api.send(request)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        return frozenset(read_list(request, reply, _tag_name))

    async def delete_tag(self, digest: Digest, tag: str) -> bool:
        """Delete a tag of this artifact; False where it did not have the tag. The artifact stays, even without tags."""
        step = f"deleting tag {tag} of {self._full_name(str(digest))}"
        path = f"{self._path}/{segment(str(digest))}/tags/{segment(check_tag(tag))}"
        reply = await self._api.send(self._api.delete(path, step))
        return reply.status == HTTPStatus.OK

    async def delete(self, digest: Digest) -> bool:
        """Delete an artifact with all its tags; False where it was already gone.

        Harbor deletes an index's children as well, except those that have a tag or belong to another index.
        """
        step = f"deleting artifact {self._full_name(str(digest))}"
        reply = await self._api.send(self._api.delete(f"{self._path}/{segment(str(digest))}", step))
        return reply.status == HTTPStatus.OK

    def _read(self, reference: str) -> Request:
        """Return the request for an artifact, which has its tags by default."""
        step = f"reading artifact {self._full_name(reference)}"
        return self._api.get(f"{self._path}/{segment(reference)}", step, accepts=OK_OR_MISSING)

    def _full_name(self, reference: str) -> str:
        return f"{self.name}{'@' if ':' in reference else ':'}{reference}"


def _digest(artifact: Document) -> Digest:
    return Digest.parse(text(artifact, "digest"))


@reads_hint
def _pushed_at(artifact: Document, tag: str) -> datetime | None:
    """Return when the tag was pushed; None where that cannot be read: it is for people, and decides nothing."""
    times = [optional_text(each, "push_time") for each in objects(artifact, "tags") if each.get("name") == tag]
    return datetime.fromisoformat(times[0]) if times and times[0] else None


def _tag_name(tag: Document) -> str:
    return text(tag, "name")
