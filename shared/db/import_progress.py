"""Stores a running import's progress: its totals, and the blobs, one row each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.db.database import Connection
from shared.model.progress import LayerProgress, LayerStatus, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """An import's totals. `rate` is in bytes per second, `progress` in per cent; `moved`: bytes arrived just now."""

    bytes_done: int
    bytes_total: int
    progress: int
    rate: float
    moved: bool


async def record_progress(
    connection: Connection,
    import_id: int,
    *,
    sequence: int,
    lease: float,
    movement: Movement,
    tagging: bool,
    source_digest: str | None,
    tag_digest: str | None = None,
) -> None:
    """Store a report of a running import and renew its lease for `lease` seconds.

    The first known source digest stays: later attempts copy the same content, even if the source's tag has moved.
    """
    await connection.execute(
        """
        UPDATE imports
        SET sequence = $2, lease_until = now() + make_interval(secs => $3), bytes_done = $4, bytes_total = $5,
            progress = greatest(progress, $6), rate = $7, moved_at = CASE WHEN $8 THEN now() ELSE moved_at END,
            tagging = tagging OR $9, fenced_attempt = CASE WHEN $9 THEN attempt ELSE fenced_attempt END,
            source_digest = coalesce(source_digest, $10), tag_digest = coalesce($11, tag_digest), updated_at = now()
        WHERE id = $1
        """,
        import_id,
        sequence,
        lease,
        movement.bytes_done,
        movement.bytes_total,
        movement.progress,
        movement.rate,
        movement.moved,
        tagging,
        source_digest,
        tag_digest,
    )


async def get_layers(connection: Connection, import_id: int) -> dict[str, LayerProgress]:
    """Return the blobs by digest, in the order of their first report."""
    rows = await connection.fetch(
        "SELECT digest, size, byte_offset, status, transfer FROM import_layers WHERE import_id = $1 ORDER BY position",
        import_id,
    )
    return {
        row["digest"]: LayerProgress(
            size=row["size"],
            offset=row["byte_offset"],
            status=LayerStatus(row["status"]),
            transfer=Transfer(row["transfer"]) if row["transfer"] else None,
        )
        for row in rows
    }


async def put_layers(
    connection: Connection, import_id: int, layers: Mapping[str, LayerProgress], *, known: Collection[str]
) -> None:
    """Write these blobs, at least one; those that are not among the `known` ones are added after them."""
    positions = {digest: number for number, digest in enumerate((*known, *(new for new in layers if new not in known)))}
    columns = zip(
        *(
            (digest, positions[digest], layer.size, layer.offset, layer.status.value, layer.transfer)
            for digest, layer in layers.items()
        ),
        strict=True,
    )
    await connection.execute(
        """
        INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status, transfer)
        SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
        ON CONFLICT (import_id, digest) DO UPDATE
        SET size = EXCLUDED.size, byte_offset = EXCLUDED.byte_offset, status = EXCLUDED.status,
            transfer = EXCLUDED.transfer
        """,
        import_id,
        *columns,
    )
