"""The blob ledger and the blob transfers in PostgreSQL, as one attempt of an import uses them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager

import structlog

from import_worker.copying.ends import Holder, MountFrom, StartTransfer, WaitForTransfer
from shared.db import blob_proofs, blob_transfers
from shared.db import blobs as ledger
from shared.db.blob_proofs import MountCandidate
from shared.db.blob_transfers import RunningTransfer, TransferClaim, TransferKey
from shared.db.database import Connection, Database
from shared.db.import_states import ClaimedImport
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError
from shared.model.blob_origin import BlobOrigin
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

# Smaller blobs are not claimed: to transfer one twice costs less than to agree on one import that does. Bytes.
MIN_CLAIMED_SIZE = 1024 * 1024

_log = structlog.stdlib.get_logger(__name__)


class PostgresLedger:
    """Fits `copying.ends.BlobLedger`. If the database is away, the import continues without mounts and claims."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        registry: str,
        claimed: ClaimedImport,
        origin: BlobOrigin,
    ) -> None:
        """`registry` is the target's name in the ledger; `origin` is where the import reads its blobs from."""
        self._database = database
        self._notifications = notifications
        self._registry = registry
        self._claimed = claimed
        self._repository = claimed.repository
        self._project = claimed.repository.partition("/")[0]
        self._origin = origin

    async def mount_candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, MountFrom]:
        found: Mapping[str, MountCandidate] = {}
        with _logged("ledger.read_failed"):
            async with self._database.connection() as connection:
                found = await self._candidates(connection, _digests(blobs), confirmable=True)
        return {Digest.parse(digest): _mount_from(candidate) for digest, candidate in found.items()}

    async def held_by_repository(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those blobs that the repository is known to hold; all of them if the database is away."""
        found: Iterable[str] = _digests(blobs)
        with _logged("ledger.read_failed"):
            async with self._database.connection() as connection:
                found = await ledger.held_by_repository(connection, self._registry, self._repository, _digests(blobs))
        return set(map(Digest.parse, found))

    async def held_by_project(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those blobs that any repository of the target's project is known to hold."""
        found: Iterable[str] = ()
        with _logged("ledger.read_failed"):
            async with self._database.connection() as connection:
                found = await ledger.held_by_project(connection, self._registry, self._project, _digests(blobs))
        return set(map(Digest.parse, found))

    async def next_step(
        self, blob: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
    ) -> StartTransfer | MountFrom | WaitForTransfer:
        if blob.size >= MIN_CLAIMED_SIZE:
            with _logged("transfer.not_claimed"):
                async with self._database.transaction() as connection:
                    return await self._claim(connection, blob, confirmable=confirmable, instead_of=instead_of)
        return StartTransfer()

    async def _claim(
        self, connection: Connection, blob: Descriptor, *, confirmable: bool, instead_of: Holder | None
    ) -> StartTransfer | MountFrom | WaitForTransfer:
        claim = self._claim_of(blob)
        claimed = (
            await blob_transfers.claim(
                connection,
                claim,
                self._repository,
                with_account=self._origin.with_account,
                instead_of=(instead_of.import_name, instead_of.attempt) if instead_of else None,
            )
            if claim
            else None
        )
        # Read after the claim: a transfer is completed in the same transaction that adds its blob to the ledger.
        held = await self._candidates(connection, [str(blob.digest)], confirmable=confirmable)
        for candidate in held.values():
            if claim:
                await blob_transfers.complete(connection, claim)
            return _mount_from(candidate)
        if claimed or not claim:
            return StartTransfer(claimed.upload if claimed else None)
        running = await blob_transfers.find_running(connection, claim.key)
        # It may have ended since the claim was refused.
        return self._wait_for(running, confirmable=confirmable) if running else WaitForTransfer(0)

    async def awaited_step(self, blob: Descriptor, *, confirmable: bool = True) -> MountFrom | WaitForTransfer | None:
        step: MountFrom | StartTransfer | WaitForTransfer | None = None
        with _logged("ledger.read_failed"):
            async with self._database.connection() as connection:
                step = await self._find_awaited(connection, blob, confirmable=confirmable)
        return None if isinstance(step, StartTransfer) else step

    async def _find_awaited(
        self, connection: Connection, blob: Descriptor, *, confirmable: bool
    ) -> MountFrom | StartTransfer | WaitForTransfer | None:
        held = await self._candidates(connection, [str(blob.digest)], confirmable=confirmable)
        for candidate in held.values():
            return _mount_from(candidate)
        claim = self._claim_of(blob)
        running = await blob_transfers.find_running(connection, claim.key) if claim else None
        return self._wait_for(running, confirmable=confirmable) if running else None

    def _wait_for(self, running: RunningTransfer, *, confirmable: bool) -> StartTransfer | WaitForTransfer:
        """Wait for a transfer from the same source, if this import may have its blob; else transfer without a claim.

        The second transfer costs bytes, and neither import learns anything of the other.
        """
        holder = Holder(import_name=running.import_name, attempt=running.attempt)
        if running.repository.partition("/")[0] == self._project or not running.with_account:
            return WaitForTransfer(running.sent, holder=holder)
        if confirmable:
            return WaitForTransfer(running.sent, confirm=True, holder=holder)
        return StartTransfer()

    async def _candidates(
        self, connection: Connection, digests: Sequence[str], *, confirmable: bool
    ) -> dict[str, MountCandidate]:
        return await blob_proofs.mount_candidates(
            connection,
            self._registry,
            digests,
            to=self._repository,
            confirming_host=self._origin.host if confirmable else None,
        )

    def watch_transfer(self, blob: Descriptor) -> AbstractContextManager[asyncio.Event]:
        return self._notifications.watch(blob_transfers.CHANNEL, str(blob.digest))

    async def upload_started(self, blob: Descriptor, address: str) -> None:
        """Record the upload; if that fails, another worker starts a new one."""
        if claim := self._claim_of(blob):
            with _logged("transfer.upload_not_recorded"):
                async with self._database.connection() as connection:
                    await blob_transfers.record_upload(connection, claim, address)

    async def record_sent(self, blob: Descriptor, sent: int) -> None:
        """Record the progress; if that fails, imports that wait may find this transfer slow."""
        if claim := self._claim_of(blob):
            with _logged("transfer.progress_not_recorded"):
                async with self._database.connection() as connection:
                    await blob_transfers.record_sent(connection, claim, sent)

    async def complete_transfer(self, blob: Descriptor, *, read: bool) -> None:
        """End the transfer and add blob and proof to the ledger; if that fails, the transfer ends with its import."""
        if blob.size < MIN_CLAIMED_SIZE:
            return
        with _logged("transfer.not_completed"):
            async with self._database.transaction() as connection:
                await self._record(connection, [str(blob.digest)], [str(blob.digest)] if read else [])
                if claim := self._claim_of(blob):
                    await blob_transfers.complete(connection, claim)

    async def release_transfer(self, blob: Descriptor) -> None:
        """Give the claim up; if that fails, it ends with its import."""
        if claim := self._claim_of(blob):
            with _logged("transfer.not_released"):
                async with self._database.connection() as connection:
                    await blob_transfers.release(connection, claim)

    async def record(self, blobs: Iterable[Descriptor], *, read: AbstractSet[Digest]) -> None:
        held = list(blobs)
        proven = [blob for blob in held if blob.digest in read]
        with _logged("ledger.write_failed"):
            async with self._database.transaction() as connection:
                await self._record(connection, _digests(held), _digests(proven))

    async def forget(self, blob: Descriptor, repository: str) -> None:
        with _logged("ledger.write_failed"):
            async with self._database.connection() as connection:
                await ledger.forget(connection, self._registry, repository, str(blob.digest))

    async def _record(self, connection: Connection, held: Sequence[str], read: Sequence[str]) -> None:
        await ledger.record(connection, self._registry, self._repository, held)
        await blob_proofs.record(connection, self._registry, read, self._origin)

    def _claim_of(self, blob: Descriptor) -> TransferClaim | None:
        """Return the claim of a blob that other imports may wait for; None for small ones, and those of no registry."""
        if blob.size < MIN_CLAIMED_SIZE or self._origin.host is None:
            return None
        return TransferClaim(
            key=TransferKey(
                registry=self._registry, digest=str(blob.digest), source_host=self._origin.host, size=blob.size
            ),
            import_name=self._claimed.name,
            attempt=self._claimed.attempt,
            claim_token=self._claimed.claim_token,
        )


def _mount_from(candidate: MountCandidate) -> MountFrom:
    return MountFrom(candidate.repository, candidate.confirm)


def _digests(blobs: Iterable[Descriptor]) -> list[str]:
    return [str(blob.digest) for blob in blobs]


@contextmanager
def _logged(event: str) -> Iterator[None]:
    """Log a failure of the database under this event instead of raising it."""
    try:
        yield
    except LongshoreError as error:
        _log.warning(event, error=str(error))
