"""The fleet's limits in PostgreSQL."""

from collections.abc import Callable, Mapping

from shared.db import registry_limits
from shared.db.database import Database
from shared.db.registry_limits import StoredLimit
from shared.rate_limits.limit import GROWTH, Limit, Scope
from shared.rate_limits.limits import LimitKey


class FleetLimits:
    """Fits `limits.LimitStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> Mapping[LimitKey, Limit]:
        async with self._database.connection() as connection:
            # By then the smallest share has grown back to the whole.
            found = await registry_limits.limits_since(connection, scopes=[*Scope], seconds=1 / GROWTH)
        return {LimitKey(host=row.host, account=row.account, scope=Scope(row.scope)): _limit(row) for row in found}

    async def change(self, key: LimitKey, change: Callable[[Limit], Limit]) -> Limit:
        async with self._database.transaction() as connection:
            found = await registry_limits.lock_limit(
                connection, host=key.host, account=key.account, scope=key.scope.value
            )
            changed = change(_limit(found))
            await registry_limits.set_limit(
                connection,
                StoredLimit(
                    host=key.host,
                    account=key.account,
                    scope=key.scope.value,
                    resumes_in=changed.resumes_at,
                    share=changed.share,
                ),
            )
        return changed


def _limit(row: StoredLimit) -> Limit:
    return Limit(resumes_at=row.resumes_in, share=row.share)
