"""Runs the schema migrations: with alembic and SQLAlchemy, which the services never load."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config

from shared.db.access.worker_role import WorkerRole, set_up_worker_role

# Any fixed number: services that start together must not migrate together.
MIGRATION_LOCK = 7_265_101


def migrate(database_url: str, revision: str = "head") -> None:
    """Migrate the database to this revision; a second run changes nothing, parallel runs wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = database_url
    command.upgrade(config, revision)


def grant_to_workers(database_url: str, worker_url: str) -> Sequence[str]:
    """Set the workers' role up in a migrated database; return notes for a person. Raises WorkerRoleError."""
    return asyncio.run(set_up_worker_role(database_url, WorkerRole.of(worker_url), lock=MIGRATION_LOCK))
