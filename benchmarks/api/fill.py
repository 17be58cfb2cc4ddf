"""Images by the thousand or the million, as a company's registry might hold them, written by PostgreSQL itself."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from shared.db import image_counts

IMAGES_OF_REPOSITORY = 50
# Imports a quarter of everything, as build servers do; the rest belongs to USERS people.
ROBOT = "ci-robot"
USERS = 400

# Seconds; a million rows take about one minute on two cores.
FILL_SECONDS = 1_800.0

# Names of 30 to 60 characters and tags of three kinds: versions, commits, dates. 93 of 100 are ready. Repository
# number r holds the images r, r + repositories, r + 2 * repositories, and so on, so that its images are far apart.
INSERT = """
INSERT INTO images (
    registry_host, repository, tag, description, status, source, source_digest, digest, size, architecture, os,
    platforms, created_at, created_by
)
SELECT 'harbor.example.com', repository, tag, 'Built by the pipeline of ' || repository, status,
       'registry.example.com/' || repository || ':' || tag,
       CASE WHEN status = 'ready' THEN 'sha256:' || encode(sha256(('source' || n)::bytea), 'hex') END,
       CASE WHEN status = 'ready' THEN 'sha256:' || encode(sha256(n::text::bytea), 'hex') END,
       CASE WHEN status = 'ready' THEN 20000000 + (chance & 2147483647) ELSE 0 END,
       'amd64', 'linux', '{linux/amd64,linux/arm64}', timestamptz '2023-01-01' + n * interval '90 seconds', user_name
FROM (
    SELECT n, chance,
           'imports/' || (ARRAY['docker.io', 'quay.io', 'ghcr.io', 'registry.example.com-5000'])[1 + r % 4] || '/'
           || (ARRAY['payments', 'search', 'vision', 'platform', 'data', 'mobile', 'ledger', 'fraud', 'maps', 'mail'])
              [1 + r / 4 % 10] || '-' || lpad((r / 40)::text, 3, '0') || '/'
           || (ARRAY['api', 'worker', 'web', 'batch', 'trainer', 'proxy', 'gateway'])[1 + r % 7] || '-' || r
           AS repository,
           CASE r % 3
                WHEN 0 THEN 'v' || k / 10 || '.' || k % 10 || '.' || r % 7
                WHEN 1 THEN substr(md5(n::text), 1, 12)
                ELSE to_char(date '2023-01-01' + (k * 17)::int, 'YYYY-MM-DD') || '-Build' || k
           END AS tag,
           CASE WHEN abs(hashint8(n + 7)) % 100 < 5 THEN 'failed' WHEN abs(hashint8(n + 7)) % 100 < 7 THEN 'importing'
                ELSE 'ready' END AS status,
           CASE WHEN abs(hashint8(n + 3)) % 4 = 0 THEN $3 ELSE 'user-' || abs(hashint8(n + 11)) % $4 END AS user_name
    FROM (
        SELECT n, n % $2 AS r, n / $2 AS k, hashint8(n)::bigint AS chance FROM generate_series(0, $1 - 1) AS n
    ) AS numbered
) AS named
"""

# All but those of constraints: an index that is made of all rows at once takes a tenth of the time.
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'images' AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What a database holds now. `part` is a substring that the names of one repository's images have."""

    images: int
    repositories: int
    part: str


async def fill(url: str, images: int) -> Filled:
    """Fill an empty table and leave it as autovacuum and the reaper would: visible, summed up, written to disk."""
    repositories = max(images // IMAGES_OF_REPOSITORY, 1)
    connection = await asyncpg.connect(url, command_timeout=FILL_SECONDS)
    try:
        indexes = await connection.fetch(INDEXES)
        await connection.execute("DROP INDEX " + ", ".join(index["indexname"] for index in indexes))
        await connection.execute(INSERT, images, repositories, ROBOT, USERS)
        for index in indexes:
            await connection.execute(index["indexdef"])
        await image_counts.compact_counts(connection)
        await image_counts.compact_periods(connection)
        for statement in (
            "VACUUM ANALYZE images",
            "VACUUM ANALYZE image_counts",
            "VACUUM ANALYZE image_periods",
            "CHECKPOINT",
        ):
            await connection.execute(statement)
        part = await connection.fetchval("SELECT split_part(repository, '/', 4) FROM images ORDER BY id DESC LIMIT 1")
    finally:
        await connection.close()
    return Filled(images=images, repositories=repositories, part=part)
