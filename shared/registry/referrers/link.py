"""Lists referrers in a registry without the referrers API (distribution spec 1.1, "Referrers Tag Schema")."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import reads_content
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import list_referrers, parse_referrers, referrers_tag, without_entries
from shared.registry.repository import Repository

# Attempts to read the tag, add entries and write it. The specification has no conditional write, so the tag is looked
# up right before each write, and read again after it, until no other client has written it in between.
LINK_ATTEMPTS = 5

# Awaited with the tag and the digest that it gets, right before each sending; raises if it may not be written.
BeforeLink: TypeAlias = Callable[[str, Digest], Awaitable[None]]


class _ListChangedError(Exception):
    """Another client has written the list since it was read."""


async def link_referrers(
    repository: Repository, subject: Digest, referrers: Sequence[Manifest], *, before: BeforeLink
) -> Digest | None:
    """Make the registry list these manifests, which it holds, as referrers of the subject.

    A registry with the API has read their `subject` field, so there is nothing to do. In any other one, they are added
    to the index under the subject's tag; raises `*_protocol_error` if that tag is something else. All other entries
    stay, except for those of manifests that the registry no longer has. Returns the index's digest; None with the API.
    """
    if await repository.list_referrers(subject) is not None:
        return None
    tag = referrers_tag(subject)
    for _ in range(LINK_ATTEMPTS):
        known = await repository.get_referrers_tag(tag)
        extended = _extended_index(known, referrers, tag)
        if extended is None:
            return Digest.of(known or b"")
        try:
            return await _List(repository, tag, known, before).put(extended)
        except _ListChangedError:
            continue
    raise LongshoreError(Code.TARGET_DIGEST_MISMATCH, f"Another client keeps overwriting the tag {tag}.")


@dataclass(frozen=True, slots=True)
class _List:
    """A list of referrers as it was read; `known` is None if there is none."""

    repository: Repository
    tag: str
    known: bytes | None
    before: BeforeLink

    async def put(self, index: Manifest) -> Digest:
        """Write the index and return its digest.

        If the registry rejects it because listed manifests were deleted, it is written without them.
        """
        try:
            return await self._put(index)
        except LongshoreError as error:
            if error.code != Code.TARGET_BLOB_UNKNOWN:
                raise
            listed = _listed_digests(index)
            gone = [digest for digest in listed if await self.repository.find_manifest(str(digest)) is None]
            return await self._put(_without(index, gone))

    async def _put(self, index: Manifest) -> Digest:
        await self.repository.put_manifest(
            self.tag,
            index,
            before=partial(self.before, self.tag, index.digest),
            check_replaced=self._check_unchanged,
        )
        return index.digest

    def _check_unchanged(self, found: Digest | None) -> None:
        if found is None or (self.known is not None and found.matches(self.known)):
            return
        raise _ListChangedError


@reads_content(Code.TARGET_PROTOCOL_ERROR)
def _listed_digests(index: Manifest) -> Sequence[Digest]:
    return [entry.digest for entry in parse_referrers(index.content)]


@reads_content(Code.TARGET_PROTOCOL_ERROR)
def _without(index: Manifest, gone: Sequence[Digest]) -> Manifest:
    return without_entries(index, gone)


@reads_content(Code.TARGET_PROTOCOL_ERROR)
def _extended_index(known: bytes | None, referrers: Sequence[Manifest], tag: str) -> Manifest | None:
    try:
        return list_referrers(known, referrers)
    except ValueError as error:
        raise LongshoreError(Code.TARGET_PROTOCOL_ERROR, f"The tag {tag} cannot be read: {error}.") from None
