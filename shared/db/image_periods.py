"""The numbers of images by the time of their creation, kept by triggers as those of image_counts are.

All users' images are counted by day, one user's by week. A page in the order of creation begins at its period.
"""

from shared.db.database import Connection


async def sum_up(connection: Connection) -> None:
    """Replace rows of the same period, user and readiness by their sum, where any was added since the last time.

    Whoever reads meanwhile gets the same numbers; two at once are right too, as with image_counts.
    """
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
