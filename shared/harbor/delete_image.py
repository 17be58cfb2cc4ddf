"""Deletes `repository:tag` from Harbor without taking another tag along.

Harbor's own DELETE of an artifact, by whatever reference, takes all its tags (src/controller/artifact/controller.go,
deleteDeeply). So the tag is taken off first, and the artifact goes only when that was its last one.

Harbor has no conditional delete. A tag that somebody adds to the artifact after we were told that there is no other,
and before Harbor itself looks, goes with it: the time of one request. One that comes while Harbor deletes stops it
with 412, and is kept. Longshore's own writers of a repository have to wait for each other; nobody can make others wait.
"""

from enum import StrEnum

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor.artifacts import Artifacts
from shared.oci.digest import Digest

REFERENCED = Code.TARGET_ARTIFACT_REFERENCED


class Removal(StrEnum):
    """What a deletion took away."""

    TAG = "tag"
    """The tag; the artifact has others, or is a part of an index."""
    ARTIFACT = "artifact"
    """The artifact, with this its last tag."""
    NOTHING = "nothing"
    """It was gone, or the tag belongs to another artifact by now, where it stays."""


async def delete_tag_or_artifact(artifacts: Artifacts, digest: Digest, tag: str) -> Removal:
    """Delete the tag from the artifact of this digest, and the artifact when it has no other.

    Repeatable after a crash between any two steps: what is gone is passed over, and an artifact that was left without
    tags is deleted. Raises `target_immutable_tag`, `target_artifact_referenced` (the tag stays) or
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
        return await _referenced(artifacts, digest, tag, tags, error)


async def _untag(artifacts: Artifacts, digest: Digest, tag: str) -> Removal:
    """Take the tag off, and look again: whoever took the others off at the same time has seen this one."""
    if not await artifacts.delete_tag(digest, tag):
        return Removal.NOTHING
    # Not an empty set: None, or tags, among them perhaps the same one, pushed anew.
    if await artifacts.some_tags(digest) != frozenset():
        return Removal.TAG
    try:
        return Removal.ARTIFACT if await artifacts.delete(digest) else Removal.TAG
    except LongshoreError as error:
        if error.code != REFERENCED:
            raise
        return Removal.TAG


async def _referenced(
    artifacts: Artifacts, digest: Digest, tag: str, seen: frozenset[str], error: LongshoreError
) -> Removal:
    """Tell an index that holds the artifact from a tag that came while Harbor was deleting: both are the same 412."""
    if error.code != REFERENCED:
        raise error
    if not seen:
        return Removal.NOTHING
    if (await artifacts.some_tags(digest) or frozenset()) - {tag}:
        return await _untag(artifacts, digest, tag)
    raise error
