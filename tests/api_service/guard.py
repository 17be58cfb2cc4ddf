"""Checks that rows are deleted in batches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.db.database import Database

# The largest batch.
AT_MOST = 3
GUARD = """
CREATE FUNCTION check_batch_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM gone) > {most} THEN RAISE EXCEPTION 'a batch is too large'; END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER batch AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION check_batch_of_{table}()
"""


@asynccontextmanager
async def at_most_a_batch(database: Database, table: str, *, most: int = AT_MOST) -> AsyncIterator[None]:
    """Fail each statement that deletes more than this number of rows of the table."""
    async with database.connection() as connection:
        await connection.execute(GUARD.format(table=table, most=most))
    try:
        yield
    finally:
        async with database.connection() as connection:
            await connection.execute(f"DROP FUNCTION check_batch_of_{table} CASCADE")
