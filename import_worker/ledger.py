"""The blob ledger in PostgreSQL, for one target repository."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import structlog

from shared.db import blobs as ledger
from shared.db.database import Database
from shared.errors import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

_log = structlog.stdlib.get_logger(__name__)


class PostgresLedger:
    """Fits `endpoints.BlobLedger`. A database that is away costs mounts, never an import."""

    def __init__(self, database: Database, registry: str, repository: str) -> None:
        self._database = database
        self._registry = registry
        self._repository = repository

    async def candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, str]:
        digests = [str(blob.digest) for blob in blobs]
        try:
            async with self._database.connection() as connection:
                found = await ledger.repositories_with(connection, self._registry, digests, other_than=self._repository)
        except LongshoreError as error:
            _log.warning("blob ledger not read", error=str(error))
            return {}
        return {Digest.parse(digest): repository for digest, repository in found.items()}

    async def held_by_project(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those that some repository of the target repository's project is known to hold."""
        project = self._repository.partition("/")[0]
        try:
            async with self._database.connection() as connection:
                found = await ledger.held_by_project(
                    connection, self._registry, project, [str(blob.digest) for blob in blobs]
                )
        except LongshoreError as error:
            _log.warning("blob ledger not read", error=str(error))
            return frozenset()
        return {Digest.parse(digest) for digest in found}

    async def record(self, blobs: Iterable[Descriptor]) -> None:
        digests = [str(blob.digest) for blob in blobs]
        try:
            async with self._database.connection() as connection:
                await ledger.record(connection, self._registry, self._repository, digests)
        except LongshoreError as error:
            _log.warning("blob ledger not written", error=str(error))

    async def forget(self, blob: Descriptor, repository: str) -> None:
        try:
            async with self._database.connection() as connection:
                await ledger.forget(connection, self._registry, repository, str(blob.digest))
        except LongshoreError as error:
            _log.warning("blob ledger not written", error=str(error))
