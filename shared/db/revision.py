"""Which schema the database has."""

from shared.db.database import Connection


async def current_revision(connection: Connection) -> str | None:
    """Return the last migration that ran, None for a database without any."""
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision
