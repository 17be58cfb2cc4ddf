"""Lists referrers in a registry without the referrers API (distribution spec 1.1, "Referrers Tag Schema")."""

from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import list_referrers, parse_referrers, referrers_tag, without_entries
from shared.registry.repository import Repository

# Attempts to read the tag, add entries and write it. The specification has no conditional write, so the tag is read
# again after each write, until no other client has written it in between.
LINK_ATTEMPTS = 5


async def link_referrers(repository: Repository, subject: Digest, referrers: Sequence[Manifest]) -> None:
    """Make the registry list these manifests, which it holds, as referrers of the subject.

    A registry with the API has read their `subject` field, so there is nothing to do. In any other one, they are added
    to the index under the subject's tag; raises `*_protocol_error` if that tag is something else.
    """
    if await repository.list_referrers(subject) is not None:
        return
    tag = referrers_tag(subject)
    for _ in range(LINK_ATTEMPTS):
        extended = _extended_index(await repository.get_referrers_tag(tag), referrers, tag)
        if extended is None:
            return
        await _put(repository, tag, extended)
    raise LongshoreError(Code.TARGET_DIGEST_MISMATCH, f"Another client keeps overwriting the tag {tag}.")


def _extended_index(known: bytes | None, referrers: Sequence[Manifest], tag: str) -> Manifest | None:
    try:
        return list_referrers(known, referrers)
    except ValueError as error:
        raise LongshoreError(Code.TARGET_PROTOCOL_ERROR, f"The tag {tag} cannot be read: {error}.") from None


async def _put(repository: Repository, tag: str, index: Manifest) -> None:
    """Write the index; if the registry rejects it because listed manifests were deleted, write it without them."""
    try:
        await repository.put_manifest(tag, index)
    except LongshoreError as error:
        if error.code != Code.TARGET_BLOB_UNKNOWN:
            raise
        listed = [entry.digest for entry in parse_referrers(index.content)]
        gone = [digest for digest in listed if await repository.find_manifest(str(digest)) is None]
        await repository.put_manifest(tag, without_entries(index, gone))
