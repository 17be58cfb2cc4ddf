"""How each part that /readyz names is asked."""

from collections.abc import Mapping

from api_service.outbox import Relay
from api_service.readiness import Check, PartDownError, Remembered
from shared.db.database import Database
from shared.db.revision import current_revision, needed_revision
from shared.target.management import TargetManagement

# The target is asked at most this often, whoever asks us. Seconds.
TARGET_REMEMBERED = 5.0


def part_checks(database: Database, relay: Relay, target: TargetManagement) -> Mapping[str, Check]:
    """Return the checks by part."""

    async def schema() -> None:
        async with database.connection() as connection:
            found = await current_revision(connection)
        if found is None or found < needed_revision():
            raise PartDownError(f"revision {found}, needed {needed_revision()}: run `longshore-api migrate`")

    async def rabbitmq() -> None:
        if relay.trouble:
            raise PartDownError("not connected; messages wait in the database")

    return {
        "database": database.check,
        "schema": schema,
        "rabbitmq": rabbitmq,
        "target": Remembered(target.check, seconds=TARGET_REMEMBERED),
    }
