"""Blob flights: of all imports that need a blob in a registry at the same time, one brings it.

A flight is alive while its import's attempt holds its lease. It needs no heartbeat of its own, and that of a killed
worker is free for the next one as soon as the import is taken from it.
"""

from dataclasses import dataclass

from shared.db.database import Connection

# What is said when a flight ends, with the blob's digest. Seldom, as large blobs arrive, so that it matters little that
# commits that notify wait for each other.
CHANNEL = "longshore_flights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """One attempt of an import, bringing a blob to a registry."""

    registry: str
    digest: str
    import_name: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One's own flight. `upload` is where an earlier one has begun to send the blob to the same repository."""

    upload: str | None


async def take_off(connection: Connection, pilot: Pilot, repository: str) -> Flight | None:
    """Become the one who brings the blob to a repository; None while another attempt is alive at it."""
    row = await connection.fetchrow(
        """
        INSERT INTO blob_flights AS flight (registry, digest, import_name, attempt, repository)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (registry, digest) DO UPDATE
        SET import_name = excluded.import_name, attempt = excluded.attempt, started_at = now(),
            repository = excluded.repository,
            upload = CASE WHEN flight.repository = excluded.repository THEN flight.upload END
        WHERE NOT EXISTS (
            SELECT FROM imports
            WHERE imports.name = flight.import_name AND imports.attempt = flight.attempt
              AND imports.state = 'running' AND imports.lease_until > now()
              AND (imports.name, imports.attempt) <> ($3, $4)
        )
        RETURNING upload
        """,
        pilot.registry,
        pilot.digest,
        pilot.import_name,
        pilot.attempt,
        repository,
    )
    return Flight(upload=row["upload"]) if row else None


async def note_upload(connection: Connection, pilot: Pilot, upload: str) -> None:
    """Note where the blob is being sent, for whoever takes the flight over."""
    await connection.execute(
        """
        UPDATE blob_flights SET upload = $5
        WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4)
        """,
        pilot.registry,
        pilot.digest,
        pilot.import_name,
        pilot.attempt,
        upload,
    )


async def break_off(connection: Connection, pilot: Pilot) -> None:
    """End a flight so that another import may take off at once, and go on with its upload."""
    await connection.execute(
        f"""
        WITH ended AS (
            UPDATE blob_flights SET attempt = 0
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        pilot.registry,
        pilot.digest,
        pilot.import_name,
        pilot.attempt,
    )


async def land(connection: Connection, pilot: Pilot) -> None:
    """End a flight, and forget its upload; without effect where it is another's by now."""
    await connection.execute(
        f"""
        WITH ended AS (
            DELETE FROM blob_flights
            WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4) RETURNING digest
        )
        SELECT pg_notify('{CHANNEL}', digest) FROM ended
        """,  # noqa: S608 - fixed text
        pilot.registry,
        pilot.digest,
        pilot.import_name,
        pilot.attempt,
    )


async def offset_in_flight(connection: Connection, registry: str, digest: str) -> int:
    """Return how many bytes of the blob have arrived, by the reports of the import that brings it."""
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
