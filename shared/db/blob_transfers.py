"""Blob transfers: of all imports that need a blob from one source at the same time, one transfers it.

A claim holds while its import's attempt holds its lease. It needs no heartbeat of its own, and the claim of a killed
worker is free as soon as the reaper takes the import from that worker. Why: docs/decisions/0006, 0054.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.db.database import Connection

# Notified with the blob's digest when a transfer ends. Commits that notify wait for each other; large blobs arrive
# seldom enough for that to matter little.
CHANNEL = "longshore_flights"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferKey:
    """A blob that a registry needs, as one source describes it: only these imports share one transfer."""

    registry: str
    digest: str
    source_host: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferClaim:
    """The claim of one import attempt to transfer a blob."""

    key: TransferKey
    import_name: str
    attempt: int
    claim_token: UUID | None

    @property
    def arguments(self) -> tuple[object, ...]:
        """The arguments $1 to $7 of the statements here."""
        key = self.key
        return (
            key.registry,
            key.digest,
            key.source_host,
            key.size,
            self.import_name,
            self.attempt,
            self.claim_token,
        )


# True for the newest claim of the import $5: of two attempts with the same number, one has lost the import. An attempt
# that has ended may still end its transfers.
_NEWEST_CLAIM = """
    EXISTS (
        SELECT FROM imports
        WHERE imports.name = $5 AND imports.attempt = $6 AND imports.claim_token IS NOT DISTINCT FROM $7::uuid
    )
"""
_OWN = f"""
    (registry, digest, source_host, size, import_name, attempt) = ($1, $2, $3, $4, $5, $6) AND {_NEWEST_CLAIM}
"""
# True for a transfer whose import's attempt holds its lease.
_ALIVE = """
    EXISTS (
        SELECT FROM imports
        WHERE imports.name = transfer.import_name AND imports.attempt = transfer.attempt
          AND imports.state = 'running' AND imports.lease_until > now()
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTransfer:
    """A transfer that the caller holds. `upload` is the address of an earlier upload to the same repository."""

    upload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTransfer:
    """The transfer of another attempt: to which repository, with which right, and how many bytes have arrived."""

    import_name: str
    attempt: int
    repository: str
    with_account: bool
    sent: int


async def claim(
    connection: Connection,
    claim: TransferClaim,
    repository: str,
    *,
    with_account: bool,
    instead_of: tuple[str, int] | None = None,
) -> ClaimedTransfer | None:
    """Claim the transfer of a blob to a repository.

    Returns None while another live attempt holds the claim, except the import and attempt `instead_of`: that one is
    too slow, continues without the claim, and keeps its upload. Returns None to an attempt that has lost its import.
    """
    name, attempt = instead_of or (None, None)
    row = await connection.fetchrow(
        f"""
        INSERT INTO blob_transfers AS transfer
            (registry, digest, source_host, size, import_name, attempt, repository, with_account)
        SELECT $1, $2, $3, $4, $5, $6, $8, $9 WHERE {_NEWEST_CLAIM}
        ON CONFLICT (registry, digest, source_host, size) DO UPDATE
        SET import_name = excluded.import_name, attempt = excluded.attempt, started_at = now(), sent = 0,
            repository = excluded.repository, with_account = excluded.with_account,
            upload = CASE
                WHEN transfer.repository = excluded.repository
                 AND ((transfer.import_name, transfer.attempt) = ($5, $6) OR NOT {_ALIVE}) THEN transfer.upload
            END
        WHERE NOT {_ALIVE} OR (transfer.import_name, transfer.attempt) IN (($5, $6), ($10::text, $11::integer))
        RETURNING upload
        """,  # noqa: S608 - fixed text
        *claim.arguments,
        repository,
        with_account,
        name,
        attempt,
    )
    return ClaimedTransfer(upload=row["upload"]) if row else None


async def record_upload(connection: Connection, claim: TransferClaim, upload: str) -> None:
    """Record the address of the upload, so that a later claim on the same repository can continue it."""
    await connection.execute(
        f"UPDATE blob_transfers SET upload = $8 WHERE {_OWN}",  # noqa: S608 - fixed text
        *claim.arguments,
        upload,
    )


async def record_sent(connection: Connection, claim: TransferClaim, sent: int) -> None:
    """Record how many of the blob's bytes have arrived, for the imports that wait."""
    await connection.execute(
        f"UPDATE blob_transfers SET sent = $8 WHERE {_OWN}",  # noqa: S608 - fixed text
        *claim.arguments,
        sent,
    )


async def release(connection: Connection, claim: TransferClaim) -> None:
    """End an unfinished transfer, so that another import may claim it at once and continue its upload."""
    await connection.execute(
        f"""
        WITH ended AS (UPDATE blob_transfers SET attempt = 0 WHERE {_OWN} RETURNING digest)
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        *claim.arguments,
    )


async def complete(connection: Connection, claim: TransferClaim) -> None:
    """End a transfer and forget its upload; has no effect if another attempt has claimed the transfer since."""
    await connection.execute(
        f"""
        WITH ended AS (DELETE FROM blob_transfers WHERE {_OWN} RETURNING digest)
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        *claim.arguments,
    )


async def find_running(connection: Connection, key: TransferKey) -> RunningTransfer | None:
    """Return the transfer of a blob that an attempt with a lease has claimed."""
    row = await connection.fetchrow(
        f"""
        SELECT import_name, attempt, repository, with_account, sent FROM blob_transfers AS transfer
        WHERE (registry, digest, source_host, size) = ($1, $2, $3, $4) AND {_ALIVE}
        """,  # noqa: S608 - fixed text
        key.registry,
        key.digest,
        key.source_host,
        key.size,
    )
    return RunningTransfer(**row) if row else None
