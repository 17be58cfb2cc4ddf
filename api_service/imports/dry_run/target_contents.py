"""The part of a plan that the target already has, or can mount from another of its repositories."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db import blobs as ledger
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all

# Concurrent HEAD requests of one plan: enough to hide latency, few enough not to slow imports down.
HEADS_AT_ONCE = 8
# The target's errors for a repository that does not exist yet, which holds nothing. Harbor denies access to a project
# that does not exist; whether the account is valid shows when the tag is looked up.
_ABSENT = frozenset({Code.TARGET_NOT_FOUND, Code.TARGET_PROJECT_MISSING, Code.TARGET_DENIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetContents:
    """`present` are the blobs and manifests that the repository has; `mountable` maps other blobs to a repository."""

    present: frozenset[Digest]
    mountable: Mapping[Digest, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInspector:
    """Asks the target for the contents of a repository, and the blob ledger for those of the target's others.

    `registry` is the target's name in the ledger.
    """

    database: Database
    registry: str

    async def inspect(
        self, blobs: Sequence[Descriptor], manifests: Sequence[Manifest], repository: Repository
    ) -> TargetContents:
        """Check each blob and manifest once; mountable blobs are known from earlier imports."""
        slots = asyncio.Semaphore(HEADS_AT_ONCE)

        async def find(content: Descriptor | Manifest) -> Digest | None:
            async with slots:
                return content.digest if await _has(repository, content) else None

        contents: list[Descriptor | Manifest] = [*blobs, *manifests]
        distinct = {content.digest: content for content in contents}
        found = await gather_all([find(content) for content in distinct.values()])
        present = frozenset(digest for digest in found if digest)
        missing = [blob for blob in blobs if blob.digest not in present]
        return TargetContents(present=present, mountable=await self._mountable(missing, repository.name))

    async def _mountable(self, blobs: list[Descriptor], repository: str) -> Mapping[Digest, str]:
        digests = [str(blob.digest) for blob in blobs]
        async with self.database.connection() as connection:
            found = await ledger.repositories_with(connection, self.registry, digests, other_than=repository)
        return {Digest.parse(digest): other for digest, other in found.items()}


async def _has(repository: Repository, content: Descriptor | Manifest) -> bool:
    try:
        if isinstance(content, Manifest):
            return await repository.find_manifest(str(content.digest)) is not None
        return await repository.has_blob(content)
    except LongshoreError as error:
        if error.code in _ABSENT:
            return False
        raise
