"""The checks behind each part that a worker's /readyz names."""

from collections.abc import Mapping
from functools import partial

from import_worker.adapters.api_client import ApiClient
from import_worker.consumer import Consumer
from shared.db.database import Database
from shared.db.migrations.revision import check_schema
from shared.runtime.readiness import CachedCheck, Check, PartDownError
from shared.target.management import TargetManagement

# Between two requests to another service, however often /readyz is requested. Seconds.
CHECK_KEPT_FOR = 5.0


def part_checks(
    database: Database, consumer: Consumer, api: ApiClient, target: TargetManagement
) -> Mapping[str, Check]:
    """Return the checks by part."""

    async def rabbitmq() -> None:
        if not consumer.connected:
            raise PartDownError("not connected; no import is taken")

    return {
        "database": database.check,
        "schema": partial(check_schema, database),
        "rabbitmq": rabbitmq,
        "api": CachedCheck(api.check, seconds=CHECK_KEPT_FOR),
        "target": CachedCheck(target.check, seconds=CHECK_KEPT_FOR),
    }
