"""The numbers of images, kept by triggers: each change adds rows, and here they are added up."""

from shared.db.database import Connection


async def compact(connection: Connection) -> None:
    """Replace the rows of each user and readiness by their sum; whoever reads meanwhile gets the same numbers.

    Two at once are right too: what the other one has taken is gone when it is this one's turn.
    """
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
