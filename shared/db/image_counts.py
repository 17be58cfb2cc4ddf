"""Compacts the numbers of images, which triggers keep: each change adds rows, which are added up here.

`image_counts` has the numbers by user and readiness, `image_periods` also by the time of creation: all users' images by
day, one user's by week. A page in the order of creation begins at its period. During either function, readers get the
same numbers as before, and two instances may run it at the same time: each finds the other's rows already gone.
"""

from shared.db.database import Connection


async def compact_counts(connection: Connection, *, limit: int | None = None) -> int:
    """Replace the rows of users and readiness by their sums: at most `limit` rows, at least 2; return their number."""
    taken: int = await connection.fetchval(
        """
        WITH taken AS (
            DELETE FROM image_counts
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM (
                    SELECT ctid, count(*) OVER (PARTITION BY created_by, ready) AS rows FROM image_counts
                ) AS counted
                WHERE rows > 1 LIMIT $1
            ))
            RETURNING created_by, ready, images
        ), added AS (
            INSERT INTO image_counts
            SELECT created_by, ready, sum(images) FROM taken GROUP BY created_by, ready HAVING sum(images) <> 0
        )
        SELECT count(*) FROM taken
        """,
        limit,
    )
    return taken


async def compact_periods(connection: Connection, *, limit: int | None = None) -> int:
    """Replace the rows of periods, users and readiness by their sums, where rows were added since the last call.

    Takes at most `limit` rows, at least 2; returns their number. The sum of some of a group's rows is `summed` only
    with the others.
    """
    taken: int = await connection.fetchval(
        """
        WITH counted AS (
            SELECT ctid AS place, created_by, ready, starts_at, summed,
                   count(*) OVER (PARTITION BY created_by, ready, starts_at) AS rows
            FROM image_periods WHERE starts_at IN (SELECT starts_at FROM image_periods WHERE NOT summed)
        ), chosen AS MATERIALIZED (
            SELECT place, rows = count(*) OVER (PARTITION BY created_by, ready, starts_at) AS complete
            FROM (SELECT * FROM counted WHERE rows > 1 OR NOT summed LIMIT $1) AS first
        ), taken AS (
            DELETE FROM image_periods WHERE ctid = ANY (ARRAY(SELECT place FROM chosen))
            RETURNING ctid AS place, created_by, ready, starts_at, images
        ), added AS (
            INSERT INTO image_periods
            SELECT created_by, ready, starts_at, sum(images), every(complete) FROM taken JOIN chosen USING (place)
            GROUP BY created_by, ready, starts_at HAVING sum(images) <> 0
        )
        SELECT count(*) FROM taken
        """,
        limit,
    )
    return taken
