"""Figures about the images that Longshore manages in one target."""

from dataclasses import dataclass

from shared.db.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedFigures:
    """Ready images, the projects that they are in, and their sizes added up, in bytes: shared layers count anew."""

    projects: int
    images: int
    size: int


async def managed_figures(connection: Connection, registry_host: str) -> ManagedFigures:
    """Count the ready images of the target with this public name."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS projects, coalesce(sum(images), 0)::bigint AS images, coalesce(sum(size), 0)::bigint AS size
        FROM (
            SELECT count(*) AS images, sum(size) AS size FROM images
            WHERE registry_host = $1 AND status = 'ready' GROUP BY split_part(repository, '/', 1)
        ) AS by_project
        """,
        registry_host,
    )
    return ManagedFigures(**dict(row or {}))
