"""The progress of an import's blobs, one row each."""

from collections.abc import Collection, Mapping

from shared.db.database import Connection
from shared.model.progress import LayerProgress, LayerStatus, Transfer


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
    """Write these blobs, at least one; those that are not among the `known` ones follow them."""
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
