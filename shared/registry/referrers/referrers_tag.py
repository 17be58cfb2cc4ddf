"""Lists referrers in a registry that has no API for it (distribution spec 1.1, "Referrers Tag Schema")."""

from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import list_referrers, parse_referrers, referrers_tag, without_entries
from shared.registry.repository import Repository

# Tries of reading, adding and writing. The specification has no way to write a tag only if it is as it was read: so
# it is read again after each write, until nobody has written it in between.
LINK_TRIES = 5


async def link_referrers(repository: Repository, subject: Digest, referrers: Sequence[Manifest]) -> None:
    """Make the registry list these manifests, which it has, as referrers of the subject.

    With the API there is nothing to do: the registry has read their `subject`. Else they join what the subject's tag
    lists by now; raises `*_protocol_error` where that tag is something else.
    """
    if await repository.list_referrers(subject) is not None:
        return
    tag = referrers_tag(subject)
    for _ in range(LINK_TRIES):
        lacking = _with(await repository.get_referrers_tag(tag), referrers, tag)
        if lacking is None:
            return
        await _put(repository, tag, lacking)
    raise LongshoreError(Code.TARGET_DIGEST_MISMATCH, f"The tag {tag} is being written by somebody else all the time.")


def _with(known: bytes | None, referrers: Sequence[Manifest], tag: str) -> Manifest | None:
    try:
        return list_referrers(known, referrers)
    except ValueError as error:
        raise LongshoreError(Code.TARGET_PROTOCOL_ERROR, f"The tag {tag} cannot be read: {error}.") from None


async def _put(repository: Repository, tag: str, index: Manifest) -> None:
    """Write the index; entries of manifests that were deleted since make a registry refuse all of it, and go."""
    try:
        await repository.put_manifest(tag, index)
    except LongshoreError as error:
        if error.code != Code.TARGET_BLOB_UNKNOWN:
            raise
        listed = [entry.digest for entry in parse_referrers(index.content)]
        gone = [digest for digest in listed if await repository.find_manifest(str(digest)) is None]
        await repository.put_manifest(tag, without_entries(index, gone))
