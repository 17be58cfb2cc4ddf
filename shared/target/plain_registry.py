"""A plain registry as the target: all that the distribution spec can do, and nothing else."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.referrer import companion_tags, referrers_tag
from shared.registry.client import Registry
from shared.registry.repository import Repository
from shared.target.needed import is_needed
from shared.target.project_quota import ProjectQuota
from shared.target.removal import Removal
from shared.target.statistics import TargetStatistics
from shared.target.untag_marker import untag_marker


class PlainRegistry:
    """Fits `TargetManagement`. Children of a deleted index stay until the registry collects its garbage."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def check(self) -> None:
        await self._registry.ping()

    async def prepare_repository(self, repository: str) -> None:
        """Nothing: a push makes the repository."""

    async def project_quota(self, repository: str) -> ProjectQuota | None:  # noqa: ARG002 - the spec knows no limits
        return None

    async def statistics(self) -> TargetStatistics | None:
        return None

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        found = await self._registry.repository(repository).find_manifest(tag)
        return found.digest if found else None

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        there = self._registry.repository(repository)
        with _explained():
            found = await self._found(there, tag)
            if siblings or await is_needed(there, digest, other_than=tag):
                if found != digest:
                    return Removal.NOTHING
                await self._untag(there, tag)
                # Look again: whoever took the other tags off at the same time has seen this one.
                if siblings or await is_needed(there, digest, other_than=tag):
                    return Removal.TAG
            return await self._delete(there, digest)

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_managed: Callable[[str], Awaitable[bool]]
    ) -> None:
        if await self.find_tag(repository, str(digest)):
            return
        for tag in (*companion_tags(digest), referrers_tag(digest)):
            found = await self.find_tag(repository, tag)
            if found and not await is_managed(tag):
                await self.remove_tag(repository, tag, found, siblings=False)
                # The recursion ends, because each step removes a tag.
                await self.remove_referrer_tags(repository, found, is_managed=is_managed)

    async def _found(self, repository: Repository, tag: str) -> Digest | None:
        """Return what the tag points to, after ending a removal that was interrupted."""
        found = await self.find_tag(repository.name, tag)
        marker = untag_marker(repository.name, tag)
        if found != marker.digest:
            return found
        await repository.delete_manifest(marker.digest)
        return None

    async def _untag(self, repository: Repository, tag: str) -> None:
        """Take the tag off a manifest that stays."""
        marker = untag_marker(repository.name, tag)
        await repository.put_manifest(tag, marker)
        await repository.delete_manifest(marker.digest)

    async def _delete(self, repository: Repository, digest: Digest) -> Removal:
        """Delete the manifest with the tag that points to it, if any."""
        if await repository.find_manifest(str(digest)) is None:
            return Removal.NOTHING
        await repository.delete_manifest(digest)
        return Removal.MANIFEST


@contextmanager
def _explained() -> Iterator[None]:
    """Say what a refusal means here: registries have deletion switched off unless somebody asks for it."""
    try:
        yield
    except LongshoreError as error:
        if error.code != Code.TARGET_REFUSED:
            raise
        raise LongshoreError(Code.TARGET_DELETE_REFUSED, error.detail) from error
