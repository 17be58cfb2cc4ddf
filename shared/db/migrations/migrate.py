"""Runs the schema migrations: with alembic and SQLAlchemy, which the services never load."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def migrate(database_url: str, revision: str = "head") -> None:
    """Migrate the database to this revision; a second run changes nothing, parallel runs wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = database_url
    command.upgrade(config, revision)
