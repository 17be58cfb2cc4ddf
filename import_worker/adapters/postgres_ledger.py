"""The blob ledger and the flights in PostgreSQL, for one attempt of an import."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager

import structlog

from import_worker.copying.ends import Bring, MountFrom, Wait
from shared.db import blob_transfers as flights
from shared.db import blobs as ledger
from shared.db.database import Connection, Database
from shared.db.import_states import ClaimedImport
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

# Below this, bringing a blob twice costs less than agreeing on who does. Bytes.
MIN_FLIGHT_SIZE = 1024 * 1024

_log = structlog.stdlib.get_logger(__name__)


class PostgresLedger:
    """Fits `endpoints.BlobLedger`. A database that is away costs mounts, never an import."""

    def __init__(self, database: Database, notifications: Notifications, registry: str, claimed: ClaimedImport) -> None:
        self._database = database
        self._notifications = notifications
        self._registry = registry
        self._claimed = claimed
        self._repository = claimed.repository

    async def candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, str]:
        digests = [str(blob.digest) for blob in blobs]
        try:
            async with self._database.connection() as connection:
                found = await ledger.repositories_with(connection, self._registry, digests, other_than=self._repository)
        except LongshoreError as error:
            _log.warning("blob ledger not read", error=str(error))
            return {}
        return {Digest.parse(digest): repository for digest, repository in found.items()}

    async def held_here(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        try:
            async with self._database.connection() as connection:
                found = await ledger.held_by_repository(
                    connection, self._registry, self._repository, [str(blob.digest) for blob in blobs]
                )
        except LongshoreError as error:
            _log.warning("blob ledger not read", error=str(error))
            return {blob.digest for blob in blobs}
        return {Digest.parse(digest) for digest in found}

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

    async def way(self, blob: Descriptor) -> Bring | MountFrom | Wait:
        if blob.size < MIN_FLIGHT_SIZE:
            return Bring()
        try:
            async with self._database.transaction() as connection:
                return await self._way(connection, blob)
        except LongshoreError as error:
            _log.warning("blob flights not read", error=str(error))
            return Bring()

    async def _way(self, connection: Connection, blob: Descriptor) -> Bring | MountFrom | Wait:
        digest, pilot = str(blob.digest), self._pilot(blob)
        flight = await flights.take_off(connection, pilot, self._repository)
        if flight is None:
            return Wait(await flights.offset_in_flight(connection, self._registry, digest))
        # Only now: whoever brought it has ended the flight and written the ledger in one transaction.
        held = await ledger.repositories_with(connection, self._registry, [digest], other_than=self._repository)
        if digest not in held:
            return Bring(flight.upload)
        await flights.land(connection, pilot)
        return MountFrom(held[digest])

    def flight_ends(self, blob: Descriptor) -> AbstractContextManager[asyncio.Event]:
        return self._notifications.watch(flights.CHANNEL, str(blob.digest))

    async def began(self, blob: Descriptor, upload: str) -> None:
        if blob.size < MIN_FLIGHT_SIZE:
            return
        try:
            async with self._database.connection() as connection:
                await flights.note_upload(connection, self._pilot(blob), upload)
        except LongshoreError as error:
            _log.warning("upload not noted; another worker would begin it anew", error=str(error))

    async def landed(self, blob: Descriptor) -> None:
        if blob.size < MIN_FLIGHT_SIZE:
            return
        try:
            async with self._database.transaction() as connection:
                await ledger.record(connection, self._registry, self._repository, [str(blob.digest)])
                await flights.land(connection, self._pilot(blob))
        except LongshoreError as error:
            _log.warning("blob flight not ended; it ends with its import", error=str(error))

    async def given_up(self, blob: Descriptor) -> None:
        if blob.size < MIN_FLIGHT_SIZE:
            return
        try:
            async with self._database.connection() as connection:
                await flights.break_off(connection, self._pilot(blob))
        except LongshoreError as error:
            _log.warning("blob flight not ended; it ends with its import", error=str(error))

    def _pilot(self, blob: Descriptor) -> flights.Pilot:
        return flights.Pilot(
            registry=self._registry,
            digest=str(blob.digest),
            import_name=self._claimed.name,
            attempt=self._claimed.attempt,
        )

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
