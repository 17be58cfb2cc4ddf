"""Fixtures of the tests that claim imports in PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from shared.db import blob_transfers
from shared.db.database import Database, open_database
from shared.db.notifications import Notifications
from shared.runtime.supervise import running
from tests.import_worker.adapters.claims import Imports


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, application="test", size=20) as database:
        yield database


@pytest.fixture
async def worker_database(worker_database_url: str) -> AsyncIterator[Database]:
    """The same database under the workers' role: each statement of a worker needs its grants."""
    async with open_database(worker_database_url, application="test", size=20) as database:
        yield database


@pytest.fixture
async def claims(database: Database, worker_database: Database, worker_database_url: str) -> AsyncIterator[Imports]:
    notifications = Notifications(worker_database_url, (blob_transfers.CHANNEL,))
    with notifications.watch(blob_transfers.CHANNEL) as listening:
        async with running("notifications", notifications.run):
            await listening.wait()
            yield Imports(database, worker_database, notifications)
