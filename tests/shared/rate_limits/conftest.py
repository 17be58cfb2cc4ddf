"""Rate-limited registries, and processes that share their limits."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from shared.db.database import Database, open_database
from shared.db.registry_limits import RegistryLimits
from shared.errors.codes import Side
from shared.network.policy import NetworkPolicy
from shared.rate_limits.limits import Limits
from shared.registry.client import Registries, open_registries
from tests.scripted.hostile import HostileRegistry
from tests.shared.fixtures import hostile, no_waits

# Imported for the tests of this folder.
__all__ = ("hostile", "no_waits")


@pytest.fixture
async def database(worker_database_url: str) -> AsyncIterator[Database]:
    """Under the workers' role."""
    async with open_database(worker_database_url, application="test", size=10) as database:
        yield database


@dataclass
class Fleet:
    """Processes on one database. Each may call loopback over plain http."""

    database: Database
    stack: AsyncExitStack
    hosts: list[str] = field(default_factory=list)

    async def process(self, *, side: Side = Side.SOURCE) -> Registries:
        """Open the client of another process."""
        policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=self.hosts)
        limits = Limits(RegistryLimits(self.database))
        return await self.stack.enter_async_context(open_registries(policy, side, limits))


@pytest.fixture
async def fleet(database: Database, hostile: HostileRegistry) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(database, stack, [hostile.host])
