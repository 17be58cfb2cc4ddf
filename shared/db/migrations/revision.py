"""The schema revision that the database has, and the one that this code needs. Reaches no migration tool."""

from pathlib import Path

from shared.db.database import Connection, Database
from shared.runtime.readiness import PartDownError

_VERSIONS = Path(__file__).parent / "versions"


def needed_revision() -> str:
    """Return the newest migration's name."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


async def current_revision(connection: Connection) -> str | None:
    """Return the last migration that ran; None for a database without any."""
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def check_schema(database: Database) -> None:
    """Raise PartDownError where the database's schema is older than this code needs; a newer one is accepted."""
    async with database.connection() as connection:
        found = await current_revision(connection)
    if found is None or found < needed_revision():
        raise PartDownError(f"revision {found}, needed {needed_revision()}: run `longshore-api migrate`")
