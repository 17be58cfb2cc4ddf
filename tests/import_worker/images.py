"""Image rows for imports that a test inserts itself."""

from shared.db.database import Connection


async def insert_image(connection: Connection, repository: str, tag: str) -> int:
    """Add an image that is being imported, and return its id."""
    image_id: int = await connection.fetchval(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by)
        VALUES ('harbor', $1, $2, 'importing', 'docker.io/a/b:1', 'somebody') RETURNING id
        """,
        repository,
        tag,
    )
    return image_id
