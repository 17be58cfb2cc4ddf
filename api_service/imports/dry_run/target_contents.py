"""The part of a plan that the target already has, or that the import may mount from another of its repositories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.db import blob_proofs
from shared.db.blob_proofs import MountCandidate
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_bounded

# Concurrent HEAD requests of one plan to each side: enough to hide latency, few enough not to slow imports down.
HEADS_AT_ONCE = 8
# The target's errors for a repository that does not exist yet, which holds nothing. Harbor denies access to a project
# that does not exist; whether the account is valid shows when the tag is looked up.
_ABSENT = frozenset({Code.TARGET_NOT_FOUND, Code.TARGET_PROJECT_MISSING, Code.TARGET_DENIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetContents:
    """`present` are the blobs and manifests that the repository has; `mountable` maps other blobs to a repository."""

    present: frozenset[Digest]
    mountable: Mapping[Digest, str]


class BlobSource(Protocol):
    """The source of the import, under the account of the request."""

    async def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the source confirms that it has the blob with this size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInspector:
    """Asks the target for the contents of a repository, and the blob ledger for those of the target's others.

    `registry` is the target's name in the ledger.
    """

    database: Database
    registry: str

    async def inspect(
        self,
        blobs: Sequence[Descriptor],
        manifests: Sequence[Manifest],
        repository: Repository,
        *,
        source: BlobSource,
        source_host: str,
    ) -> TargetContents:
        """Check each blob and manifest once; mountable blobs are known from earlier imports.

        Only blobs that the import itself would get are mountable: a dry run must not show what other projects hold.
        """

        async def find(content: Descriptor | Manifest) -> Digest | None:
            return content.digest if await _has(repository, content) else None

        contents: list[Descriptor | Manifest] = [*blobs, *manifests]
        distinct = {content.digest: content for content in contents}
        found = await gather_bounded(find, list(distinct.values()), HEADS_AT_ONCE)
        present = frozenset(digest for digest in found if digest)
        missing = {blob.digest: blob for blob in blobs if blob.digest not in present}
        candidates = await self._candidates(list(missing.values()), repository.name, source_host)
        confirmed = await _confirmed([missing[digest] for digest, one in candidates.items() if one.confirm], source)
        return TargetContents(
            present=present,
            mountable={
                digest: one.repository for digest, one in candidates.items() if not one.confirm or digest in confirmed
            },
        )

    async def _candidates(
        self, blobs: Sequence[Descriptor], repository: str, source_host: str
    ) -> Mapping[Digest, MountCandidate]:
        digests = [str(blob.digest) for blob in blobs]
        async with self.database.connection() as connection:
            found = await blob_proofs.mount_candidates(
                connection, self.registry, digests, to=repository, confirming_host=source_host
            )
        return {Digest.parse(digest): candidate for digest, candidate in found.items()}


async def _confirmed(blobs: Sequence[Descriptor], source: BlobSource) -> frozenset[Digest]:
    """Return those blobs that the source confirms; an import transfers a blob after any error, too."""

    async def confirm(blob: Descriptor) -> Digest | None:
        try:
            return blob.digest if await source.has_blob(blob) else None
        except LongshoreError:
            return None

    return frozenset(digest for digest in await gather_bounded(confirm, blobs, HEADS_AT_ONCE) if digest)


async def _has(repository: Repository, content: Descriptor | Manifest) -> bool:
    try:
        if isinstance(content, Manifest):
            return await repository.find_manifest(str(content.digest)) is not None
        return await repository.has_blob(content)
    except LongshoreError as error:
        if error.code in _ABSENT:
            return False
        raise
