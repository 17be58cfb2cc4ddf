"""A loop of the API that runs beside the services of a testbed, with shorter pauses than theirs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from api_service.images.deletion.carry_out import DeletionWork
from shared.db.database import open_database
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.target.open_target import open_target
from shared.target.settings import TargetSettings
from tests.faults.bench.testbed import Testbed

# Seconds for the loop's end.
TIMEOUT = 30.0


@contextmanager
def beside(testbed: Testbed, host: str, run: Callable[[DeletionWork], Awaitable[None]]) -> Iterator[None]:
    """Run a loop that never ends on an event loop in another thread; `host` is the target's address for it."""
    loop = asyncio.new_event_loop()

    async def work() -> None:
        async with _open_work(testbed, host) as opened:
            await run(opened)

    task = loop.create_task(work())
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait({task}),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(TIMEOUT)
        loop.close()
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def _open_work(testbed: Testbed, host: str) -> AsyncIterator[DeletionWork]:
    """Open the testbed's database and target as its APIs do."""
    settings = testbed.shared_servers.settings
    credential = None
    if settings["TARGET_USERNAME"]:
        credential = Credential(username=settings["TARGET_USERNAME"], password=settings["TARGET_PASSWORD"])
    network = NetworkPolicy.of(plain_http=[host], trusted=True)
    async with (
        open_database(testbed.database_url, application="bench", size=2) as database,
        open_target(TargetSettings(host=host, credential=credential), network) as target,
    ):
        name = testbed.target.host
        yield DeletionWork(database=database, target=target, registry_host=name, registry=name)
