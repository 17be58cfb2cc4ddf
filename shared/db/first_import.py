"""What the first request for a target writes: image, import and wake-up, in one statement and one round trip."""

from shared.db.database import Connection


async def insert_first_import(
    connection: Connection,
    *,
    registry_host: str,
    repository: str,
    tag: str,
    description: str,
    name: str,
    source: str,
    source_digest: str | None,
    platforms: tuple[str, ...],
    credentials: bytes | None,
    user: str,
    with_referrers: bool,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> int | None:
    """Return the new image's id; None, and nothing written, where this target exists already.

    While another request is creating it, this one waits for its end.
    """
    new_id: int | None = await connection.fetchval(
        """
        WITH image AS (
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, description)
            VALUES ($1, $2, $3, 'importing', $6, $10, $4)
            ON CONFLICT ON CONSTRAINT images_target_key DO NOTHING
            RETURNING id
        ), import AS (
            INSERT INTO imports
                (name, image_id, state, source, source_digest, platforms, credentials, requested_by, with_referrers,
                 request_id, traceparent)
            SELECT $5, id, 'queued', $6, $7, $8, $9, $10, $11, $12, $13 FROM image
            RETURNING id
        ), told AS (
            INSERT INTO outbox (import_id, reason) SELECT id, 'requested' FROM import
        )
        SELECT id FROM image
        """,
        *(registry_host, repository, tag, description, name, source, source_digest, list(platforms), credentials, user),
        *(with_referrers, request_id, traceparent),
    )
    return new_id
