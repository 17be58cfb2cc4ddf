"""Stores a running import's progress: its totals, and the blobs, one row each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.db.database import Connection
from shared.model.integers import MAX_INT64
from shared.model.progress import LayerGroup, LayerProgress, LayerStatus, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """An import's totals. `rate` is in bytes per second, `progress` in per cent; `moved`: bytes arrived just now."""

    bytes_done: int
    bytes_total: int
    progress: int
    rate: float
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLayers:
    """The sums of an import's blobs that a report does not concern; sizes are in bytes."""

    layers: int = 0
    size: int = 0
    offset: int = 0


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


async def get_reported_layers(
    connection: Connection, import_id: int, digests: Collection[str], *, unfinished: bool
) -> tuple[dict[str, LayerProgress], OtherLayers]:
    """Return the blobs with these digests, in the order of their first report, and the sums of all others.

    `unfinished` selects those, too, that are neither complete nor failed. The import must be locked.
    """
    rows = await connection.fetch(
        """
        SELECT CASE WHEN selected THEN digest END AS digest, count(*) AS layers, sum(size) AS size,
               sum(byte_offset) AS byte_offset, min(status) AS status, min(transfer) AS transfer
        FROM (
            SELECT *, digest = ANY($2) OR ($3 AND status IN ('pending', 'downloading')) AS selected
            FROM import_layers WHERE import_id = $1
        ) AS stored
        GROUP BY CASE WHEN selected THEN digest END ORDER BY min(position)
        """,
        import_id,
        tuple(digests),
        unfinished,
    )
    others = next((row for row in rows if row["digest"] is None), None)
    return (
        {row["digest"]: _layer(row) for row in rows if row["digest"] is not None},
        OtherLayers(layers=others["layers"], size=int(others["size"]), offset=int(others["byte_offset"]))
        if others
        else OtherLayers(),
    )


async def get_layer_page(connection: Connection, import_id: int, *, first: int, limit: int) -> dict[str, LayerProgress]:
    """Return at most `limit` blobs by digest, in the order of their first report, without the `first` ones."""
    rows = await connection.fetch(
        """
        SELECT digest, size, byte_offset, status, transfer FROM import_layers
        WHERE import_id = $1 ORDER BY position OFFSET $2 LIMIT $3
        """,
        import_id,
        first,
        limit,
    )
    return {row["digest"]: _layer(row) for row in rows}


async def get_foremost_layers(connection: Connection, import_id: int, *, limit: int) -> dict[str, LayerProgress]:
    """Return at most `limit` blobs, in the order of their first report.

    Blobs that are being downloaded are preferred, then failed ones, then those to come.
    """
    rows = await connection.fetch(
        """
        SELECT digest, size, byte_offset, status, transfer FROM (
            SELECT * FROM import_layers WHERE import_id = $1
            ORDER BY array_position(ARRAY['downloading', 'failed', 'pending', 'completed'], status), position LIMIT $2
        ) AS foremost
        ORDER BY position
        """,
        import_id,
        limit,
    )
    return {row["digest"]: _layer(row) for row in rows}


async def count_layers(connection: Connection, import_id: int) -> Sequence[LayerGroup]:
    """Return the blobs of an import, counted by status and transfer."""
    rows = await connection.fetch(
        """
        SELECT status, transfer, count(*) AS layers, least(sum(byte_offset), $2)::bigint AS bytes
        FROM import_layers WHERE import_id = $1 GROUP BY status, transfer
        """,
        import_id,
        MAX_INT64,
    )
    return [
        LayerGroup(
            status=LayerStatus(row["status"]),
            transfer=_transfer(row["transfer"]),
            layers=row["layers"],
            bytes=row["bytes"],
        )
        for row in rows
    ]


def _layer(row: Any) -> LayerProgress:
    return LayerProgress(
        size=int(row["size"]),
        offset=int(row["byte_offset"]),
        status=LayerStatus(row["status"]),
        transfer=_transfer(row["transfer"]),
    )


def _transfer(value: str | None) -> Transfer | None:
    return Transfer(value) if value else None


async def put_layers(
    connection: Connection, import_id: int, layers: Mapping[str, LayerProgress], *, known: Collection[str], count: int
) -> None:
    """Write these blobs, at least one; those that are not among the `known` ones come after all stored ones.

    `count` is the number of stored blobs.
    """
    # A blob that is stored keeps its position.
    positions = dict.fromkeys(known, 0)
    positions |= {digest: number for number, digest in enumerate((new for new in layers if new not in known), count)}
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
