"""The checks behind GET /readyz, one for each part."""

from collections.abc import Mapping
from functools import partial

from api_service.background.relay import Relay
from shared.db.database import Database
from shared.db.migrations.revision import check_schema
from shared.runtime.readiness import CachedCheck, Check, PartDownError
from shared.target.management import TargetManagement

# The target is checked at most this often, however often probes call. Seconds.
TARGET_CHECK_INTERVAL = 5.0
# Without these parts the API still answers, accepts imports and takes reports: messages wait in the database, and the
# workers wait for the target. If an instance were unready without the target, an outage of the target would remove all
# instances at once, and with them the leases of running imports.
OPTIONAL_PARTS = frozenset({"rabbitmq", "target"})


def part_checks(database: Database, relay: Relay, target: TargetManagement) -> Mapping[str, Check]:
    """Return the checks by part."""

    async def rabbitmq() -> None:
        if relay.trouble:
            raise PartDownError("not connected; messages wait in the database")

    return {
        "database": database.check,
        "schema": partial(check_schema, database),
        "rabbitmq": rabbitmq,
        "target": CachedCheck(target.check, seconds=TARGET_CHECK_INTERVAL),
    }
