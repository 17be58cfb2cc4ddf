"""The tags of signatures, attestations, SBOMs and lists of referrers that imports wrote in the target."""

from collections.abc import Iterable

from shared.db.database import Connection


async def record(connection: Connection, registry: str, repository: str, tag: str, digest: str) -> None:
    """Record that an import points the tag to this digest."""
    await connection.execute(
        """
        INSERT INTO companion_tags (registry, repository, tag, digest) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        registry,
        repository,
        tag,
        digest,
    )


async def is_written(connection: Connection, registry: str, repository: str, tag: str, digest: str) -> bool:
    """Return whether an import has pointed the tag to this digest."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM companion_tags WHERE (registry, repository, tag, digest) = ($1, $2, $3, $4)
        )
        """,
        registry,
        repository,
        tag,
        digest,
    )
    return found


async def confirm(connection: Connection, registry: str, repository: str, tag: str, digest: str) -> None:
    """Record that the tag, which an import wrote, has this digest now."""
    await connection.execute(
        """
        UPDATE companion_tags SET confirmed_at = now()
        WHERE (registry, repository, tag, digest) = ($1, $2, $3, $4)
        """,
        registry,
        repository,
        tag,
        digest,
    )


async def newest_confirmed(connection: Connection, registry: str, repository: str, tag: str) -> str | None:
    """Return the newest digest that the tag was seen to have; None if that is not known."""
    digest: str | None = await connection.fetchval(
        """
        SELECT digest FROM companion_tags
        WHERE (registry, repository, tag) = ($1, $2, $3) AND confirmed_at IS NOT NULL
        ORDER BY confirmed_at DESC LIMIT 1
        """,
        registry,
        repository,
        tag,
    )
    return digest


async def forget(connection: Connection, registry: str, repository: str, tags: Iterable[str]) -> None:
    """Delete the rows of tags that are gone, or stay as another client's."""
    await connection.execute(
        "DELETE FROM companion_tags WHERE registry = $1 AND repository = $2 AND tag = ANY($3::text[])",
        registry,
        repository,
        list(tags),
    )
