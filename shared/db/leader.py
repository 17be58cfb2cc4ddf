"""Leadership for the length of a transaction."""

from shared.db.database import Connection


async def try_lead(connection: Connection, key: int) -> bool:
    """Take the advisory lock with this number until the transaction ends; False where another session has it."""
    taken: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key)
    return taken
