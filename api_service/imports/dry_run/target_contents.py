"""How much of a plan the target has already, and how much it would only have to link."""

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

# HEAD requests at a time: enough to hide latency, few enough not to be in the way of imports.
HEADS_AT_ONCE = 8
# What a target answers for a repository that is not there yet: it has nothing. Harbor refuses access to a project that
# it does not have; that the account is a good one shows when the tag is asked for.
_ABSENT = frozenset({Code.TARGET_NOT_FOUND, Code.TARGET_PROJECT_MISSING, Code.TARGET_DENIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """`present`: blobs and manifests that the repository has. `elsewhere`: blobs by the repository to mount from."""

    present: frozenset[Digest]
    elsewhere: Mapping[Digest, str]


class StockTaker:
    """Asks the target what it has, and the ledger what other repositories of it have."""

    def __init__(self, database: Database, registry: str) -> None:
        """Take the database with the blob ledger, and the target's name in it."""
        self._database = database
        self._registry = registry

    async def take(self, blobs: Sequence[Descriptor], manifests: Sequence[Manifest], repository: Repository) -> Stock:
        """Look for every blob and manifest once; what a mount could bring is known from earlier imports."""
        slots = asyncio.Semaphore(HEADS_AT_ONCE)

        async def held(content: Descriptor | Manifest) -> Digest | None:
            async with slots:
                return content.digest if await _has(repository, content) else None

        contents: list[Descriptor | Manifest] = [*blobs, *manifests]
        distinct = {content.digest: content for content in contents}
        found = await gather_all([held(content) for content in distinct.values()])
        present = frozenset(digest for digest in found if digest)
        missing = [blob for blob in blobs if blob.digest not in present]
        return Stock(present=present, elsewhere=await self._elsewhere(missing, repository.name))

    async def _elsewhere(self, blobs: list[Descriptor], repository: str) -> Mapping[Digest, str]:
        digests = [str(blob.digest) for blob in blobs]
        async with self._database.connection() as connection:
            found = await ledger.repositories_with(connection, self._registry, digests, other_than=repository)
        return {Digest.parse(digest): held_by for digest, held_by in found.items()}


async def _has(repository: Repository, content: Descriptor | Manifest) -> bool:
    try:
        if isinstance(content, Manifest):
            return await repository.find_manifest(str(content.digest)) is not None
        return await repository.has_blob(content)
    except LongshoreError as error:
        if error.code in _ABSENT:
            return False
        raise
