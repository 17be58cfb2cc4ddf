"""A plain registry as the target: everything that the distribution spec offers, and nothing else."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import companion_tags, referrers_tag
from shared.registry.client import Registry
from shared.registry.repository import Repository
from shared.target.management import Removal, TargetStatistics, TargetTag
from shared.target.needed import is_needed
from shared.target.point_tag import point_tag
from shared.target.project_quota import ProjectQuota

MARKER_ANNOTATION = "io.longshore.removed-tag"


class _TagMovedError(Exception):
    """The tag no longer points to the digest that it is removed from."""


class PlainRegistry:
    """Implements `TargetManagement`. The children of a deleted index stay until the registry collects its garbage."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def check(self) -> None:
        await self._registry.ping()

    async def prepare_repository(self, repository: str) -> None:
        """Do nothing: a push creates the repository."""

    async def has_project(self, repository: str) -> bool | None:  # noqa: ARG002 - the spec has no projects
        return None

    async def project_quota(self, repository: str) -> ProjectQuota | None:  # noqa: ARG002 - the spec has no quotas
        return None

    async def statistics(self) -> TargetStatistics | None:
        return None

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        found = await self._registry.repository(repository).find_manifest(tag)
        return found.digest if found else None

    async def discard_upload(self, repository: str, address: str) -> bool:
        return await self._registry.repository(repository).discard_upload(address)

    async def look_up_tag(self, repository: str, tag: str) -> TargetTag | None:
        found = await self._registry.repository(repository).find_manifest_once(tag)
        return TargetTag(digest=found.digest) if found else None

    async def point_tag(self, repository: str, tag: str, digest: Digest, *, replaces: Digest) -> bool:
        return await point_tag(self._registry.repository(repository), tag, digest, replaces=replaces)

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        there = self._registry.repository(repository)
        with _deletion_refusals():
            found = await self._find(there, tag)
            if siblings or await is_needed(there, digest, other_than=tag):
                if found != digest:
                    return Removal.NOTHING
                if not await self._untag(there, tag, digest):
                    return Removal.NOTHING
                # Look again: a client that removed the other tags at the same time still saw this one.
                if siblings or await is_needed(there, digest, other_than=tag):
                    return Removal.TAG
            return await self._delete(there, digest)

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_ours: Callable[[str, Digest], Awaitable[bool]]
    ) -> None:
        if await self.find_tag(repository, str(digest)):
            return
        for tag in (*companion_tags(digest), referrers_tag(digest)):
            found = await self.find_tag(repository, tag)
            if found and await is_ours(tag, found):
                await self.remove_tag(repository, tag, found, siblings=False)
                # The recursion ends, because each step removes a tag.
                await self.remove_referrer_tags(repository, found, is_ours=is_ours)

    async def _find(self, repository: Repository, tag: str) -> Digest | None:
        """Return the digest that the tag points to, after completing a removal that was interrupted."""
        found = await self.find_tag(repository.name, tag)
        marker = untag_marker(repository.name, tag)
        if found != marker.digest:
            return found
        await repository.delete_manifest(marker.digest)
        return None

    async def _untag(self, repository: Repository, tag: str, digest: Digest) -> bool:
        """Remove the tag from a manifest that stays; False if another client has moved it meanwhile, and it stays."""
        marker = untag_marker(repository.name, tag)

        def check(found: Digest | None) -> None:
            if found not in (digest, marker.digest):
                raise _TagMovedError

        try:
            await repository.put_manifest(tag, marker, check_replaced=check)
        except _TagMovedError:
            return False
        await repository.delete_manifest(marker.digest)
        return True

    async def _delete(self, repository: Repository, digest: Digest) -> Removal:
        """Delete the manifest with the tag that points to it, if any."""
        if await repository.find_manifest(str(digest)) is None:
            return Removal.NOTHING
        await repository.delete_manifest(digest)
        return Removal.MANIFEST


def untag_marker(repository: str, tag: str) -> Manifest:
    """Return the manifest that a tag is moved to for a moment, to remove it from a manifest that has to stay.

    Registries such as distribution 2.8 delete manifests by digest only, with every tag that points to them. Only this
    one tag can point to its marker, so deleting the marker harms no other tag. The marker is always the same, so that
    a deletion that was interrupted after the move recognises its own work. It is an index without children, which
    refers to nothing that would have to be pushed first.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
        "annotations": {MARKER_ANNOTATION: f"{repository}:{tag}"},
    }
    return Manifest.parse(json.dumps(document, indent=2).encode(), media_types.OCI_INDEX)


@contextmanager
def _deletion_refusals() -> Iterator[None]:
    """Translate a refusal during a deletion: registries have deletion disabled unless the operator enables it."""
    try:
        yield
    except LongshoreError as error:
        if error.code != Code.TARGET_REFUSED:
            raise
        raise LongshoreError(Code.TARGET_DELETE_REFUSED, error.detail) from error
