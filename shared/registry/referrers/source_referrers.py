"""What refers to manifests of a source repository.

Three ways lead to it: the referrers API, the tag schema where a registry lacks the API, and cosign's own tags.
"""

from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.referrer import Attachment, companion_tags, parse_referrers, referrers_tag
from shared.registry.referrers.referrer_list import MAX_LISTED
from shared.registry.referrers.tag_lookup import TagLookup
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all


class ReferrerFinder:
    """Asks for one import. Whether there is an API is asked once, about the first subject: some proxies differ by path.

    With an API that is one request for each manifest, without one a single request for all; one more, for the tags.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._tags = TagLookup(repository)
        self._has_api: bool | None = None

    async def attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return what refers to these; those named by the subject's own list first."""
        both = await gather_all([self._linked(subjects), self._tagged(subjects)])
        return tuple(attachment for attachments in both for attachment in attachments)

    async def _linked(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        if self._has_api is None:
            first = await self._repository.list_referrers(subjects[0])
            self._has_api = first is not None
            if first is not None:
                rest = await self._from_api(subjects[1:])
                return (*_linked(subjects[0], [entry.digest for entry in first]), *rest)
        return await (self._from_api(subjects) if self._has_api else self._from_tags(subjects))

    async def _from_api(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        async def ask(subject: Digest) -> Sequence[Attachment]:
            async with self._tags.slots:
                entries = await self._repository.list_referrers(subject)
            return _linked(subject, [entry.digest for entry in entries or ()])

        return [each for listed in await gather_all([ask(subject) for subject in subjects]) for each in listed]

    async def _from_tags(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        by_tag = {referrers_tag(subject): subject for subject in subjects}
        found = await self._tags.find(tuple(by_tag))
        listed = await gather_all([self._listed_under(tag) for tag in found])
        return [each for tag, digests in zip(found, listed, strict=True) for each in _linked(by_tag[tag], digests)]

    async def _listed_under(self, tag: str) -> Sequence[Digest]:
        """Return what the tag's index lists: nothing, where it is an image that somebody happened to name so."""
        try:
            content = await self._repository.get_referrers_tag(tag)
        except LongshoreError as error:
            if error.code != Code.MANIFEST_UNSUPPORTED:
                raise
            return ()
        return [entry.digest for entry in parse_referrers(content)[:MAX_LISTED]] if content else ()

    async def _tagged(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        by_tag = {tag: subject for subject in subjects for tag in companion_tags(subject)}
        found = await self._tags.find(tuple(by_tag))
        return [Attachment(subject=by_tag[tag], digest=digest, tag=tag) for tag, digest in found.items()]


def _linked(subject: Digest, digests: Sequence[Digest]) -> Sequence[Attachment]:
    return [Attachment(subject=subject, digest=digest) for digest in digests]
