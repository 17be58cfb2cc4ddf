"""How each part that /readyz names is asked."""

from collections.abc import Mapping
from functools import partial

from api_service.background.relay import Relay
from shared.db.database import Database
from shared.db.migrations.revision import check_schema
from shared.runtime.readiness import CachedCheck, Check, PartDownError
from shared.target.management import TargetManagement

# The target is asked at most this often, whoever asks us. Seconds.
TARGET_CHECK_KEPT_FOR = 5.0
# Without these the API answers, accepts imports and takes reports: messages wait in the database, and the target is the
# workers' to wait for. Were instances unready for it, an outage of the target would take all of them away at once, and
# with them the leases of imports that go on.
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
        "target": CachedCheck(target.check, seconds=TARGET_CHECK_KEPT_FOR),
    }
