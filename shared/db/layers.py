"""The progress of an import's blobs, one row each."""

from collections.abc import Mapping

from shared.db.database import Connection
from shared.progress import LayerProgress, LayerStatus, Transfer


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
    connection: Connection, import_id: int, layers: Mapping[str, LayerProgress], *, known: int
) -> None:
    """Write these blobs; new ones are numbered from `known` on."""
    await connection.executemany(
        """
        INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status, transfer)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (import_id, digest) DO UPDATE
        SET size = EXCLUDED.size, byte_offset = EXCLUDED.byte_offset, status = EXCLUDED.status,
            transfer = EXCLUDED.transfer
        """,
        [
            (import_id, digest, known + number, layer.size, layer.offset, layer.status.value, layer.transfer)
            for number, (digest, layer) in enumerate(layers.items())
        ],
    )
