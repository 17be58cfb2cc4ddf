"""Deletes `repository:tag` from Harbor and no other tag.

Harbor's own DELETE of an artifact, by whatever reference, deletes all its tags (src/controller/artifact/controller.go,
deleteDeeply). So the tag is deleted first, and the artifact only if that was its last tag.

Harbor has no conditional delete. A tag that another client adds to the artifact after Harbor has listed its tags, and
before Harbor itself looks at them, is deleted with it: a window of one request. A tag that is added during Harbor's
deletion makes Harbor answer 412, and is kept. Longshore's own writers of a repository have to wait for each other;
other clients cannot be made to wait.
"""

from enum import StrEnum

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor.artifacts import Artifacts
from shared.oci.digest import Digest

REFERENCED = Code.TARGET_ARTIFACT_REFERENCED


class Removal(StrEnum):
    """The part of an image that was deleted."""

    TAG = "tag"
    """The tag; the artifact has other tags, or is a part of an index."""
    ARTIFACT = "artifact"
    """The artifact, with its last tag."""
    NOTHING = "nothing"
    """Nothing: the image was gone, or the tag has moved to another artifact, where it stays."""


async def delete_tag_or_artifact(artifacts: Artifacts, digest: Digest, tag: str) -> Removal:
    """Delete the tag of the artifact with this digest, and the artifact if it has no other tag.

    Can be repeated after a crash between any two steps: parts that are gone are skipped, and an artifact that was left
    without tags is deleted. Raises `target_immutable_tag`, `target_artifact_referenced` (the tag stays) or
    `target_delete_refused` where Harbor answers 412.
    """
    tags = await artifacts.some_tags(digest)
    if tags is None:
        return Removal.NOTHING
    if tags - {tag}:
        return await _untag(artifacts, digest, tag)
    try:
        return Removal.ARTIFACT if await artifacts.delete(digest) else Removal.NOTHING
    except LongshoreError as error:
        return await _resolve_conflict(artifacts, digest, tag, tags, error)


async def _untag(artifacts: Artifacts, digest: Digest, tag: str) -> Removal:
    """Delete the tag and look again: a client that deleted the other tags at the same time still saw this one."""
    if not await artifacts.delete_tag(digest, tag):
        return Removal.NOTHING
    # Not an empty set: None, or tags, perhaps the same one, pushed again.
    if await artifacts.some_tags(digest) != frozenset():
        return Removal.TAG
    try:
        return Removal.ARTIFACT if await artifacts.delete(digest) else Removal.TAG
    except LongshoreError as error:
        if error.code != REFERENCED:
            raise
        return Removal.TAG


async def _resolve_conflict(
    artifacts: Artifacts, digest: Digest, tag: str, seen: frozenset[str], error: LongshoreError
) -> Removal:
    """Distinguish an index that holds the artifact from a tag added during the deletion: both answer the same 412."""
    if error.code != REFERENCED:
        raise error
    if not seen:
        return Removal.NOTHING
    if (await artifacts.some_tags(digest) or frozenset()) - {tag}:
        return await _untag(artifacts, digest, tag)
    raise error
