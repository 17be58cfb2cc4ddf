"""Claims of one import by its name, for tests in which others are due."""

from shared.db.database import Database
from shared.db.import_states import ClaimedImport, claim_next


async def claim_named(
    database: Database, name: str, *, worker: str = "worker", lease: float = 30.0, by: Database | None = None
) -> ClaimedImport | None:
    """Claim this import, in the database `by` if there is another one for workers; None where it is not due.

    All others are locked meanwhile, and a claim passes locked imports over. Takes two connections.
    """
    async with database.transaction() as holder:
        await holder.execute(
            "SELECT FROM imports WHERE name <> $1 AND state IN ('queued', 'waiting') ORDER BY id FOR UPDATE", name
        )
        async with (by or database).connection() as connection:
            return await claim_next(connection, worker=worker, lease=lease)
