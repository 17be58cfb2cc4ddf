"""The blob ledger: which repositories of a registry are known to hold a blob.

Rows are hints: the registry decides, and a wrong row is deleted. `blob_proofs` decides which of them an import may
mount from; a blob's proofs are deleted with its last row.
"""

from collections.abc import Iterable, Sequence

from shared.db import blob_proofs
from shared.db.database import Connection


async def held_by_repository(
    connection: Connection, registry: str, repository: str, digests: Sequence[str]
) -> set[str]:
    """Return those of these digests that the repository is known to hold."""
    rows = await connection.fetch(
        "SELECT digest FROM blobs WHERE registry = $1 AND repository = $2 AND digest = ANY($3::text[])",
        registry,
        repository,
        list(digests),
    )
    return {row["digest"] for row in rows}


async def held_by_project(connection: Connection, registry: str, project: str, digests: Sequence[str]) -> set[str]:
    """Return those of these digests that a repository of the project is known to hold."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT digest FROM blobs
        WHERE registry = $1 AND digest = ANY($3::text[]) AND starts_with(repository, $2 || '/')
        """,
        registry,
        project,
        list(digests),
    )
    return {row["digest"] for row in rows}


async def record(connection: Connection, registry: str, repository: str, digests: Iterable[str]) -> None:
    """Record that the repository holds these blobs: uploaded just now, or referred to by one of its manifests."""
    await connection.execute(
        """
        INSERT INTO blobs (registry, digest, repository) SELECT $1, digest, $2 FROM unnest($3::text[]) AS digest
        ON CONFLICT (registry, digest, repository) DO UPDATE SET recorded_at = now()
        """,
        registry,
        repository,
        sorted(digests),
    )


async def forget(connection: Connection, registry: str, repository: str, digest: str) -> None:
    """Delete a row that the registry contradicted."""
    await connection.execute(
        "DELETE FROM blobs WHERE (registry, repository, digest) = ($1, $2, $3)", registry, repository, digest
    )
    await blob_proofs.delete_unused(connection, registry, [digest])


async def forget_image(connection: Connection, registry: str, image_id: int) -> None:
    """Delete the rows of an image's blobs in its repository, except those of other ready images there."""
    forgotten = await connection.fetch(
        """
        DELETE FROM blobs USING images AS gone
        WHERE gone.id = $2 AND (blobs.registry, blobs.repository) = ($1, gone.repository)
          AND blobs.digest IN (
            SELECT import_layers.digest FROM import_layers JOIN imports ON imports.id = import_id WHERE image_id = $2
          )
          AND blobs.digest NOT IN (
            SELECT import_layers.digest
            FROM import_layers JOIN imports ON imports.id = import_id JOIN images ON images.id = image_id
            WHERE (images.registry_host, images.repository) = (gone.registry_host, gone.repository)
              AND images.id <> $2 AND images.status = 'ready'
          )
        RETURNING blobs.digest
        """,
        registry,
        image_id,
    )
    await blob_proofs.delete_unused(connection, registry, [row["digest"] for row in forgotten])
