"""Whether what a tag leads to is there, byte for byte."""

from __future__ import annotations

from deploy.local.images.verify import Place, verify
from deploy.local.stack import LocalStackError, Remote
from shared.model.states import ImportState
from tests.faults.bench.wanted import Outcome


def digest_of_tag(remote: Remote, repository: str, tag: str) -> str | None:
    """Return what the tag points to; None where there is none."""
    try:
        return remote.manifest(repository, tag).digest
    except LocalStackError:
        return None


def is_whole(remote: Remote, repository: str, digest: str) -> bool:
    """Tell whether a manifest and all that is below it are there and have their digests."""
    try:
        return bool(verify(digest, Place(remote=remote, repository=repository)))
    except LocalStackError:
        return False


def is_sound(remote: Remote, end: Outcome) -> bool:
    """Tell whether the image's tag leads to whole content, or there is none and the image is not called ready."""
    digest = digest_of_tag(remote, end.repository, end.tag)
    if digest is None:
        return end.state is not ImportState.READY
    return is_whole(remote, end.repository, digest)
