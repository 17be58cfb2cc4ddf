"""Blob transfers: of all imports that need a blob in a registry at the same time, one transfers it.

A claim holds while its import's attempt holds its lease. It needs no heartbeat of its own, and the claim of a killed
worker is free as soon as the reaper takes the import from that worker.
"""

from dataclasses import dataclass

from shared.db.database import Connection

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTransfer:
    """A transfer that the caller holds. `upload` is the address of an earlier upload to the same repository."""

    upload: str | None


async def claim(connection: Connection, claim: TransferClaim, repository: str) -> ClaimedTransfer | None:
    """Claim the transfer of a blob to a repository; returns None while another live attempt holds the claim."""
    row = await connection.fetchrow(
        """
        INSERT INTO blob_flights AS transfer (registry, digest, import_name, attempt, repository)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (registry, digest) DO UPDATE
        SET import_name = excluded.import_name, attempt = excluded.attempt, started_at = now(),
            repository = excluded.repository,
            upload = CASE WHEN transfer.repository = excluded.repository THEN transfer.upload END
        WHERE NOT EXISTS (
            SELECT FROM imports
            WHERE imports.name = transfer.import_name AND imports.attempt = transfer.attempt
              AND imports.state = 'running' AND imports.lease_until > now()
              AND (imports.name, imports.attempt) <> ($3, $4)
        )
        RETURNING upload
        """,
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        repository,
    )
    return ClaimedTransfer(upload=row["upload"]) if row else None


async def record_upload(connection: Connection, claim: TransferClaim, upload: str) -> None:
    """Record the address of the upload, so that a later claim on the same repository can continue it."""
    await connection.execute(
        """
        UPDATE blob_flights SET upload = $5
        WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4)
        """,
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
        upload,
    )


async def release(connection: Connection, claim: TransferClaim) -> None:
    """End an unfinished transfer, so that another import may claim it at once and continue its upload."""
    await connection.execute(
        f"""
        WITH ended AS (
            UPDATE blob_flights SET attempt = 0
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
    )


async def complete(connection: Connection, claim: TransferClaim) -> None:
    """End a transfer and forget its upload; has no effect if another attempt has claimed the transfer since."""
    await connection.execute(
        f"""
        WITH ended AS (
            DELETE FROM blob_flights
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        claim.registry,
        claim.digest,
        claim.import_name,
        claim.attempt,
    )


async def transferred_bytes(connection: Connection, registry: str, digest: str) -> int:
    """Return how many bytes of the blob have arrived, by the reports of the import that transfers it."""
    offset: int | None = await connection.fetchval(
        """
        SELECT byte_offset FROM blob_flights
        JOIN imports ON imports.name = blob_flights.import_name
        JOIN import_layers ON import_layers.import_id = imports.id AND import_layers.digest = blob_flights.digest
        WHERE (blob_flights.registry, blob_flights.digest) = ($1, $2)
        """,
        registry,
        digest,
    )
    return offset or 0
