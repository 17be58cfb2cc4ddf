"""Compacts the numbers of images, which triggers keep: each change adds rows, which are added up here.

`image_counts` has the numbers by user and readiness, `image_periods` also by the time of creation: all users' images by
day, one user's by week. A page in the order of creation begins at its period. During either function, readers get the
same numbers as before, and two instances may run it at the same time: each finds the other's rows already gone.
"""

from shared.db.database import Connection


async def compact_counts(connection: Connection) -> None:
    """Replace the rows of each user and readiness by their sum."""
    await connection.execute(
        """
        WITH taken AS (
            DELETE FROM image_counts
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM (
                    SELECT ctid, count(*) OVER (PARTITION BY created_by, ready) AS rows FROM image_counts
                ) AS counted
                WHERE rows > 1
            ))
            RETURNING created_by, ready, images
        )
        INSERT INTO image_counts
        SELECT created_by, ready, sum(images) FROM taken GROUP BY created_by, ready HAVING sum(images) <> 0
        """
    )


async def compact_periods(connection: Connection) -> None:
    """Replace the rows of each period, user and readiness by their sum, where rows were added since the last call."""
    await connection.execute(
        """
        WITH taken AS (
            DELETE FROM image_periods
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM (
                    SELECT ctid, summed, count(*) OVER (PARTITION BY created_by, ready, starts_at) AS rows
                    FROM image_periods
                    WHERE starts_at IN (SELECT starts_at FROM image_periods WHERE NOT summed)
                ) AS counted
                WHERE rows > 1 OR NOT summed
            ))
            RETURNING created_by, ready, starts_at, images
        )
        INSERT INTO image_periods
        SELECT created_by, ready, starts_at, sum(images), true FROM taken
        GROUP BY created_by, ready, starts_at HAVING sum(images) <> 0
        """
    )
