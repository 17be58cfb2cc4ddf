"""Blob flights: of all imports that need a blob in a registry at the same time, one brings it.

A flight is alive while its import's attempt holds its lease. It needs no heartbeat of its own, and that of a killed
worker is free for the next one as soon as the import is taken from it.
"""

from dataclasses import dataclass

from shared.db.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """One attempt of an import, bringing a blob to a registry."""

    registry: str
    digest: str
    import_name: str
    attempt: int


async def take_off(connection: Connection, pilot: Pilot) -> bool:
    """Become the one who brings the blob; False while another attempt is alive at it."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO blob_flights AS flight (registry, digest, import_name, attempt) VALUES ($1, $2, $3, $4)
            ON CONFLICT (registry, digest) DO UPDATE
            SET import_name = excluded.import_name, attempt = excluded.attempt, started_at = now()
            WHERE NOT EXISTS (
                SELECT FROM imports
                WHERE imports.name = flight.import_name AND imports.attempt = flight.attempt
                  AND imports.state = 'running' AND imports.lease_until > now()
                  AND (imports.name, imports.attempt) <> ($3, $4)
            )
            RETURNING true
            """,
            pilot.registry,
            pilot.digest,
            pilot.import_name,
            pilot.attempt,
        )
    )


async def land(connection: Connection, pilot: Pilot) -> None:
    """End a flight, well or not; without effect where it is another's by now."""
    await connection.execute(
        """
        DELETE FROM blob_flights
        WHERE (registry, digest, import_name, attempt) = ($1, $2, $3, $4)
        """,
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
