"""Finds the attachments of manifests in a source repository.

There are three ways to find them: the referrers API, the referrers tag schema if the registry lacks that API, and
cosign's own tags.
"""

from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import reads_content
from shared.oci.digest import Digest
from shared.oci.referrer import Attachment, companion_tags, parse_referrers, referrers_tag
from shared.registry.pages import MAX_REFERRERS_LISTED
from shared.registry.referrers.tag_lookup import TagLookup
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all


class AttachmentFinder:
    """Finds attachments for one import.

    The first subject shows whether the registry has the API; the result is kept per import, because some proxies
    differ by path. The API takes one request per manifest, the tag schema a single request for all manifests; listing
    the tags takes one more.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._tags = TagLookup(repository)
        self._has_api: bool | None = None

    async def find(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return the attachments of these manifests; those in the subjects' lists of referrers first."""
        found = await gather_all([self._by_subject(subjects), self._by_cosign_tag(subjects)])
        return tuple(attachment for attachments in found for attachment in attachments)

    async def _by_subject(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        if self._has_api is None:
            first = await self._repository.list_referrers(subjects[0])
            self._has_api = first is not None
            if first is not None:
                rest = await self._from_api(subjects[1:])
                return (*_attachments(subjects[0], [entry.digest for entry in first]), *rest)
        return await (self._from_api(subjects) if self._has_api else self._from_tag_schema(subjects))

    async def _from_api(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        async def list_one(subject: Digest) -> Sequence[Attachment]:
            async with self._tags.slots:
                entries = await self._repository.list_referrers(subject)
            return _attachments(subject, [entry.digest for entry in entries or ()])

        return [each for listed in await gather_all([list_one(subject) for subject in subjects]) for each in listed]

    async def _from_tag_schema(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        by_tag = {referrers_tag(subject): subject for subject in subjects}
        found = await self._tags.find(tuple(by_tag))
        listed = await gather_all([self._listed_by(tag) for tag in found])
        return [each for tag, digests in zip(found, listed, strict=True) for each in _attachments(by_tag[tag], digests)]

    async def _listed_by(self, tag: str) -> Sequence[Digest]:
        """Return the digests in the tag's index; none if the tag points to an ordinary image that has such a name."""
        try:
            content = await self._repository.get_referrers_tag(tag)
        except LongshoreError as error:
            if error.code != Code.MANIFEST_UNSUPPORTED:
                raise
            return ()
        return _listed_digests(content) if content else ()

    async def _by_cosign_tag(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        by_tag = {tag: subject for subject in subjects for tag in companion_tags(subject)}
        found = await self._tags.find(tuple(by_tag))
        return [Attachment(subject=by_tag[tag], digest=digest, tag=tag) for tag, digest in found.items()]


@reads_content(Code.MANIFEST_UNSUPPORTED)
def _listed_digests(content: bytes) -> Sequence[Digest]:
    return [entry.digest for entry in parse_referrers(content)[:MAX_REFERRERS_LISTED]]


def _attachments(subject: Digest, digests: Sequence[Digest]) -> Sequence[Attachment]:
    return [Attachment(subject=subject, digest=digest) for digest in digests]
