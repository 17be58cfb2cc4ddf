"""Compacts the numbers of images, which triggers keep: each change adds rows, which are added up here.

`image_counts` has the numbers by user and readiness, `image_periods` also by the time of creation: all users' images by
day, one user's by week. A page in the order of creation begins at its period. During either function, readers get the
same numbers as before, and two instances may run it at the same time: each finds the other's rows already gone.
"""

from shared.db.database import Connection


async def compact_counts(connection: Connection, *, limit: int | None = None) -> int:
    """Replace rows of the same user and readiness by their sum; take at most `limit`, at least 2, return their number.

    Rows are read in the index's order, where equal ones are neighbours, until there are enough: however many were
    added since the last call, a call costs the same.
    """
    taken: int = await connection.fetchval(
        """
        WITH taken AS (
            DELETE FROM image_counts
            WHERE ctid = ANY (ARRAY(
                SELECT place FROM (
                    SELECT ctid AS place, (created_by, ready) AS own,
                           (lag(created_by) OVER sorted, lag(ready) OVER sorted) AS former,
                           (lead(created_by) OVER sorted, lead(ready) OVER sorted) AS next
                    FROM image_counts WINDOW sorted AS (ORDER BY created_by, ready)
                ) AS rows
                WHERE own IS NOT DISTINCT FROM former OR own IS NOT DISTINCT FROM next LIMIT $1
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
    """Add rows that were added since the last call to the sums of their periods, users and readiness.

    Takes at most `limit` of these rows, those of the first periods, and returns their number.
    """
    taken: int = await connection.fetchval(
        """
        WITH fresh AS MATERIALIZED (
            SELECT ctid AS place, created_by, ready, starts_at FROM image_periods
            WHERE NOT summed ORDER BY starts_at LIMIT $1
        ), groups AS MATERIALIZED (
            SELECT DISTINCT created_by, ready, starts_at FROM fresh
        ), sums AS (
            SELECT place FROM groups CROSS JOIN LATERAL (
                SELECT ctid AS place FROM image_periods AS own
                WHERE own.created_by = groups.created_by AND own.starts_at = groups.starts_at
                  AND own.ready = groups.ready AND own.summed
                UNION ALL
                SELECT ctid FROM image_periods AS whole
                WHERE groups.created_by IS NULL AND whole.created_by IS NULL AND whole.starts_at = groups.starts_at
                  AND whole.ready = groups.ready AND whole.summed
                OFFSET 0
            ) AS found
        ), taken AS (
            DELETE FROM image_periods
            WHERE ctid = ANY (ARRAY(SELECT place FROM fresh UNION ALL SELECT place FROM sums))
            RETURNING created_by, ready, starts_at, images
        ), added AS (
            INSERT INTO image_periods
            SELECT created_by, ready, starts_at, sum(images), true FROM taken
            GROUP BY created_by, ready, starts_at HAVING sum(images) <> 0
        )
        SELECT count(*) FROM fresh
        """,
        limit,
    )
    return taken
