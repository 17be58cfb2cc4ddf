"""Checks that the content of a tag is complete."""

from __future__ import annotations

from deploy.local.images.verify import Place, verify
from deploy.local.stack import LocalStackError, Remote
from shared.model.states import ImportState
from tests.faults.bench.imports import Outcome


def digest_of_tag(remote: Remote, repository: str, tag: str) -> str | None:
    """Return the digest of a tag, or None if there is no tag."""
    try:
        return remote.manifest(repository, tag).digest
    except LocalStackError:
        return None


def is_whole(remote: Remote, repository: str, digest: str) -> bool:
    """Return whether a manifest and everything below it exist with the right digests."""
    try:
        return bool(verify(digest, Place(remote=remote, repository=repository)))
    except LocalStackError:
        return False


def is_consistent(remote: Remote, end: Outcome) -> bool:
    """Return whether the image's tag has complete content, or there is no tag and the image is not ready."""
    digest = digest_of_tag(remote, end.repository, end.tag)
    if digest is None:
        return end.state is not ImportState.READY
    return is_whole(remote, end.repository, digest)
