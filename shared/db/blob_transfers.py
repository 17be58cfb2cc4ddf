"""Blob transfers: of all imports that may have a blob and need it in a registry at the same time, one transfers it.

A claim holds while its import's attempt holds its lease. It needs no heartbeat of its own, and the claim of a killed
worker is free as soon as the reaper takes the import from that worker.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.db.database import Connection
from shared.model.blob_origin import BlobOrigin

# Notified with the blob's digest when a transfer ends. Commits that notify wait for each other; large blobs arrive
# seldom enough for that to matter little.
CHANNEL = "longshore_flights"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferClaim:
    """The claim of one import attempt to transfer a blob to a registry."""

    registry: str
    digest: str
    import_name: str
    attempt: int
    claim_token: UUID | None


# True for the newest claim of the import $3: of two attempts with the same number, one has lost the import. An attempt
# that has ended may still end its transfers.
_NEWEST_CLAIM = """
    EXISTS (
        SELECT FROM imports
        WHERE imports.name = $3 AND imports.attempt = $4 AND imports.claim_token IS NOT DISTINCT FROM $5::uuid
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTransfer:
    """A transfer that the caller holds. `upload` is the address of an earlier upload to the same repository."""

    upload: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTransfer:
    """The transfer that another attempt has claimed: to which repository, from where, and how many bytes have arrived.

    The bytes are those that its import has reported. A transfer of an earlier release has `NO_ORIGIN`.
    """

    repository: str
    origin: BlobOrigin
    offset: int


async def claim(
    connection: Connection, claim: TransferClaim, repository: str, origin: BlobOrigin
) -> ClaimedTransfer | None:
    """Claim the transfer of a blob to a repository.

    Returns None while another live attempt holds the claim, and to an attempt that has lost its import.
    """
    row = await connection.fetchrow(
        f"""
        INSERT INTO blob_flights AS transfer
            (registry, digest, import_name, attempt, repository, source_host, with_account)
        SELECT $1, $2, $3, $4, $6, $7, $8 WHERE {_NEWEST_CLAIM}
        ON CONFLICT (registry, digest) DO UPDATE
        SET import_name = excluded.import_name, attempt = excluded.attempt, started_at = now(),
            repository = excluded.repository, source_host = excluded.source_host,
            with_account = excluded.with_account,
            upload = CASE WHEN transfer.repository = excluded.repository THEN transfer.upload END
        WHERE NOT EXISTS (
            SELECT FROM imports
            WHERE imports.name = transfer.import_name AND imports.attempt = transfer.attempt
              AND imports.state = 'running' AND imports.lease_until > now()
              AND (imports.name, imports.attempt) <> ($3, $4)
        )
        RETURNING upload
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        claim.claim_token,
        repository,
        origin.host,
        origin.with_account,
    )
    return ClaimedTransfer(upload=row["upload"]) if row else None


async def record_upload(connection: Connection, claim: TransferClaim, upload: str) -> None:
    """Record the address of the upload, so that a later claim on the same repository can continue it."""
    await connection.execute(
        f"""
        UPDATE blob_flights SET upload = $6
        WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) AND {_NEWEST_CLAIM}
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        claim.claim_token,
        upload,
    )


async def release(connection: Connection, claim: TransferClaim) -> None:
    """End an unfinished transfer, so that another import may claim it at once and continue its upload."""
    await connection.execute(
        f"""
        WITH ended AS (
            UPDATE blob_flights SET attempt = 0
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) AND {_NEWEST_CLAIM} RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        claim.claim_token,
    )


async def complete(connection: Connection, claim: TransferClaim) -> None:
    """End a transfer and forget its upload; has no effect if another attempt has claimed the transfer since."""
    await connection.execute(
        f"""
        WITH ended AS (
            DELETE FROM blob_flights
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) AND {_NEWEST_CLAIM} RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        claim.claim_token,
    )


async def find_running(connection: Connection, registry: str, digest: str) -> RunningTransfer | None:
    """Return the transfer of a blob that could not be claimed; None if it has ended since."""
    row = await connection.fetchrow(
        """
        SELECT repository, source_host, blob_flights.with_account, coalesce(byte_offset, 0) AS byte_offset
        FROM blob_flights
        LEFT JOIN imports ON imports.name = blob_flights.import_name
        LEFT JOIN import_layers
            ON import_layers.import_id = imports.id AND import_layers.digest = blob_flights.digest
        WHERE (blob_flights.registry, blob_flights.digest) = ($1, $2)
        """,
        registry,
        digest,
    )
    if row is None:
        return None
    origin = BlobOrigin(host=row["source_host"], with_account=row["with_account"])
    return RunningTransfer(repository=row["repository"] or "", origin=origin, offset=row["byte_offset"])
