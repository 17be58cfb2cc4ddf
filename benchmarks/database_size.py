"""Measures the size of an image in PostgreSQL: `python -m benchmarks.database_size [--images N] [--layers N]`."""

from __future__ import annotations

import argparse
import asyncio

import asyncpg

from benchmarks.api.fill import FILL_SECONDS, fill
from deploy.local.stack import Postgres, Scratch
from shared.db.migrations.migrate import migrate

# For each image one import, its layers, their rows in the ledger, and the wake-up message. No layer is shared: images
# that share layers need less space in the ledger.
HISTORY = (
    """
    INSERT INTO imports (name, image_id, state, source, source_digest, requested_by, attempt, sequence, bytes_done,
                         bytes_total, progress, finished_at)
    SELECT 'import-' || md5(id::text), id, 'ready', source, source_digest, created_by, 1, 20, size, size, 100, now()
    FROM images
    """,
    """
    INSERT INTO import_layers
    SELECT imports.id, 'sha256:' || encode(sha256((imports.id || '/' || n)::bytea), 'hex'), n, 20000000, 20000000,
           'completed', 'copied'
    FROM imports, generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO blobs (registry, digest, repository)
    SELECT DISTINCT registry_host, import_layers.digest, repository
    FROM import_layers JOIN imports ON imports.id = import_id JOIN images ON images.id = image_id
    """,
    "INSERT INTO blob_proofs (registry, digest, source_host) SELECT registry, digest, 'quay.io' FROM blobs",
    "INSERT INTO outbox (import_id, reason, published_at) SELECT id, 'requested', now() FROM imports",
)
SIZES = """
SELECT relname, pg_table_size(oid) AS rows, pg_indexes_size(oid) AS indexes
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_table_size(oid) > 65536
ORDER BY pg_total_relation_size(oid) DESC
"""


async def measure(url: str, images: int, layers: int) -> None:
    """Fill the database and print the bytes per image, table by table."""
    await fill(url, images)
    connection = await asyncpg.connect(url, command_timeout=FILL_SECONDS)
    try:
        for statement in HISTORY:
            await connection.execute(statement, *([layers] if "$1" in statement else ()))
        await connection.execute("VACUUM ANALYZE")
        sizes = await connection.fetch(SIZES)
    finally:
        await connection.close()
    print(f"{images} images, {layers} layers each; bytes per image\n{'':16}{'rows':>8}{'indexes':>9}")
    lines = [(each["relname"], each["rows"], each["indexes"]) for each in sizes]
    lines.append(("all", sum(line[1] for line in lines), sum(line[2] for line in lines)))
    for name, content, index in lines:
        print(f"{name:16}{content / images:8.0f}{index / images:9.0f}")


def main() -> None:
    """Read the command line, and measure on a private server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--layers", type=int, default=10)
    given = parser.parse_args()
    with Scratch() as scratch, Postgres(scratch, fsync=False) as postgres:
        migrate(postgres.url)
        asyncio.run(measure(postgres.url, given.images, given.layers))


if __name__ == "__main__":
    main()
