"""Every process is restarted in turn under load, and no request of a client fails."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from deploy.local.stack import Api, Worker, synthetic_image, worker_settings
from tests.faults.link import Link
from tests.system.balancer import Balancer
from tests.system.conftest import TIMEOUT, Product, held_transfers, wait_until_held
from tests.system.test_workers import wait_for_running

pytestmark = [pytest.mark.xdist_group("system"), pytest.mark.timeout(240)]

MIB = 1024 * 1024
# Ten times as long as the balancer needs to notice that an instance stops, for a busy machine. Seconds.
DRAIN = "3"
# No grace, so that a worker hands its imports over. Seconds.
STOP_GRACE = "0"
# Images that are imported during the restarts, each with its own layer. Seconds between two requests.
IMAGES = 24
LAYER = MIB
IMPORT_INTERVAL = 0.7
# Images whose transfer the link holds, so that every stop of a worker meets a running import; more than there are
# workers with one slot.
LARGE_IMAGES = 3
LARGE_LAYER = 8 * MIB
ASK_INTERVAL = 0.05
# The client closes a stream and opens a new one after this time. Seconds.
STREAM_SECONDS = 20.0


@dataclass
class Clients:
    """Concurrent clients; `failures` collects their errors."""

    url: str
    token: str
    failures: list[str] = field(default_factory=list)
    answers: int = 0
    streams: int = 0
    imports: dict[int, str] = field(default_factory=dict)

    @asynccontextmanager
    async def session(self, *, keep_alive: bool) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(force_close=not keep_alive)
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(f"{self.url}/api/v1/", headers=headers, connector=connector) as session:
            yield session

    async def call(self, session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> Any:
        """Send one request without retries; anything but status 200 is a failure."""
        try:
            async with session.request(method, path, **options) as response:
                body = await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return {}
        self.answers += 1
        if response.status != 200:
            self.failures.append(f"{method} {path}: {response.status} {body}")
        return body

    async def keep_asking(self, *, keep_alive: bool) -> None:
        async with self.session(keep_alive=keep_alive) as session:
            while True:
                await self.call(session, "GET", "images?page_size=5")
                for image_id in list(self.imports)[-1:]:
                    await self.call(session, "GET", f"images/{image_id}/importing-details")
                await asyncio.sleep(ASK_INTERVAL)

    async def keep_importing(self, product: Product, repositories: Iterator[str]) -> None:
        async with self.session(keep_alive=True) as session:
            for repository in repositories:
                await self.start(session, product, repository)
                await asyncio.sleep(IMPORT_INTERVAL)

    async def start(
        self, session: aiohttp.ClientSession, product: Product, repository: str, *, host: str | None = None
    ) -> None:
        body = product.request_for(repository, host=host)
        answer = await self.call(session, "POST", "./images:import", json=body)
        if answer:
            self.imports[answer["imageId"]] = repository

    async def keep_watching(self) -> None:
        """Follow the newest import; a stream may end early, but must not break."""
        async with self.session(keep_alive=True) as session:
            while True:
                for image_id in list(self.imports)[-1:]:
                    await self._watch(session, image_id)
                await asyncio.sleep(ASK_INTERVAL)

    async def _watch(self, session: aiohttp.ClientSession, image_id: int) -> None:
        headers = {"Accept": "text/event-stream"}
        try:
            async with session.get(f"images/{image_id}/importing-details", headers=headers) as response:
                assert response.status == 200
                async with asyncio.timeout(STREAM_SECONDS):
                    async for _ in response.content:
                        pass
            self.streams += 1
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError) as error:
            self.failures.append(f"stream of {image_id}: {error!r}")


@pytest.fixture
def apis(product: Product) -> Iterator[tuple[Api, Api]]:
    """Two instances that drain before they end."""
    first = product.stack.api
    before = dict(first.settings)
    first.settings["DRAIN_SECONDS"] = DRAIN
    first.restart()
    second = Api(product.stack.scratch, first.settings, name="api-2")
    try:
        yield first, second.start()
    finally:
        second.stop()
        first.settings = before
        first.restart()


@pytest.fixture
def images(product: Product) -> list[str]:
    """Repositories of the source with one image each."""
    return push_images(product, "rolling", LAYER, IMAGES)


def push_images(product: Product, seed: str, layer: int, count: int) -> list[str]:
    return [
        product.push(synthetic_image(f"{seed}-{number}", [layer], platforms=("linux/amd64",)))
        for number in range(count)
    ]


def new_worker(product: Product, api_url: str, name: str) -> Worker:
    """Return a worker that reports through the balancer."""
    stack = product.stack
    settings = worker_settings(stack.api.settings) | {"STOP_GRACE_SECONDS": STOP_GRACE, "WORKER_SLOTS": "1"}
    return Worker(stack.scratch, settings, api=api_url, token=stack.worker_token, name=name)


def stop(process: Api | Worker) -> None:
    """Stop it with SIGTERM, and check its exit status."""
    running = process.process
    assert running
    process.stop()
    assert running.status() == 0, running.tail()


async def until_ready(balancer: Balancer, count: int) -> None:
    """Wait for ready instances, as a rolling update does before the next step."""
    async with asyncio.timeout(TIMEOUT):
        while balancer.ready < count:  # noqa: ASYNC110 - the balancer asks on a timer itself
            await asyncio.sleep(ASK_INTERVAL)


async def test_no_request_fails_and_no_import_is_lost(
    product: Product, apis: tuple[Api, Api], images: list[str], source_link: Link
) -> None:
    """Both API instances, then both workers are restarted in turn; stopped workers hand their imports over."""
    async with Balancer([api.port for api in apis]).running() as balancer:
        await until_ready(balancer, 2)
        workers = [new_worker(product, balancer.url, f"rolling-{number}") for number in (1, 2)]
        clients = Clients(balancer.url, product.stack.user_token)
        try:
            await asyncio.gather(*(asyncio.to_thread(worker.start) for worker in workers))
            await restart_under_load(
                product, clients, balancer, apis=apis, workers=workers, images=images, link=source_link
            )
            await asyncio.to_thread(all_ready, product, clients.imports)
        finally:
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
    assert clients.failures == []
    assert len(clients.imports) == IMAGES + 2 * LARGE_IMAGES
    assert clients.answers > 10 * IMAGES
    assert clients.streams > 0
    ids = ", ".join(map(str, clients.imports))
    assert product.sql(f"SELECT count(*) FROM imports WHERE image_id IN ({ids}) AND failures > 0") == "0"
    handed_over = product.sql(f"SELECT count(*) FROM imports WHERE image_id IN ({ids}) AND attempt > 1")
    assert int(handed_over) > 0, "no worker was stopped during an import"


async def stop_in_the_middle(product: Product, clients: Clients, worker: Worker, link: Link) -> None:
    """Start imports, and stop the worker while the link holds the one that it runs."""
    repositories = await asyncio.to_thread(push_images, product, f"{worker.name}-large", LARGE_LAYER, LARGE_IMAGES)
    with held_transfers(link, LARGE_LAYER // 2):
        async with clients.session(keep_alive=False) as session:
            starts = (clients.start(session, product, repository, host=link.host) for repository in repositories)
            await asyncio.gather(*starts)
        await asyncio.to_thread(wait_for_running, product, worker)
        await asyncio.to_thread(wait_until_held, link)
        await asyncio.to_thread(stop, worker)


async def restart_under_load(
    product: Product,
    clients: Clients,
    balancer: Balancer,
    *,
    apis: Sequence[Api],
    workers: Sequence[Worker],
    images: list[str],
    link: Link,
) -> None:
    """Restart each process while the clients send requests; return after the last restart and the last import."""
    importing = asyncio.create_task(clients.keep_importing(product, iter(images)))
    others = [
        asyncio.create_task(clients.keep_asking(keep_alive=True)),
        asyncio.create_task(clients.keep_asking(keep_alive=False)),
        asyncio.create_task(clients.keep_watching()),
    ]
    try:
        for api in apis:
            await until_ready(balancer, 2)
            await asyncio.to_thread(stop, api)
            await asyncio.to_thread(api.start)
        await until_ready(balancer, 2)
        for worker in workers:
            await stop_in_the_middle(product, clients, worker, link)
            await asyncio.to_thread(worker.start)
        await importing
    finally:
        for task in (importing, *others):
            task.cancel()
        outcomes = await asyncio.gather(importing, *others, return_exceptions=True)
    broken = [each for each in outcomes if isinstance(each, Exception)]
    assert not broken


def all_ready(product: Product, imports: dict[int, str]) -> None:
    """Wait until all imports are ready, and compare every blob with the source."""
    for image_id, repository in imports.items():
        product.verify(product.ready(image_id), repository)
