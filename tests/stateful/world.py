"""The product in this process on real servers, shared by all sequences."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from unittest.mock import patch

import aiohttp
import stamina
from aiohttp import web

from api_service.app import create_app
from api_service.images.deletion import begin as begin_deletion
from api_service.imports.retry_policy import RetryPolicy
from api_service.parts import relay_part
from api_service.settings import Settings
from deploy.local.processes.server import new_key
from deploy.local.stack import Registry, Remote
from import_worker import reporter, run_import, until_accepted
from import_worker.settings import WorkerSettings
from import_worker.worker import Worker, open_worker
from shared.db.access.tokens import create_token
from shared.db.database import Database, open_database
from shared.http_client.retry import ATTEMPTS
from shared.model.roles import Role
from shared.network.policy import NetworkPolicy
from shared.oci.digest import Digest
from shared.runtime.concurrency import cancel_all
from shared.runtime.secret_box import SecretBox
from shared.settings import SharedSettings
from shared.target.settings import TargetKind, TargetSettings
from tests.api_service.api import Answer
from tests.api_service.conftest import REQUESTS_ONLY
from tests.shared.harbor.conftest import ADMIN, LOOPBACK
from tests.stateful.contents import CONTENTS
from tests.stateful.front import Front, open_front, serving
from tests.stateful.gate import Gate

T = TypeVar("T")

# The limit of every wait in a sequence, on a busy machine. Seconds.
TIMEOUT = 60.0
# Longer than any sequence: a lease ends only if a test ends it. Seconds.
LEASE = 600.0
# The maximum number of imports that a sequence holds at once.
SLOTS = 12
# Enough failures for any sequence, so that imports do not fail for good.
RETRIES = RetryPolicy(max_failures=1000, base=0)
USERS = {"ann": Role.USER, "bob": Role.USER, "root": Role.ADMIN}
TARGET_NAME = "harbor.example.com"
ORIGINS = ("origin/a", "origin/b")
WITNESS = "known/witness"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The servers of the product: a database, a virtual host, and two docker-registries."""

    database_url: str
    amqp_url: str
    source: Registry
    upstream: Registry


@dataclass(frozen=True, kw_only=True)
class World:
    """The running parts with their clients. `remote` is a client of the target, independent of the product."""

    kind: TargetKind
    source: Registry
    front: Front
    app: web.Application
    url: str
    tokens: Mapping[str, str]
    database: Database
    gate: Gate
    worker: Worker
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, *, user: str, body: object = None) -> Answer:
        """Call the API."""
        headers = {"Authorization": f"Bearer {self.tokens[user]}"}
        async with self.http.request(method, f"{self.url}/api/v1{path}", headers=headers, json=body) as response:
            read = await response.json(content_type=None) if response.content_type.endswith("json") else None
            return Answer(status=response.status, headers=response.headers, body=read)

    @property
    def remote(self) -> Remote:
        return Remote(f"http://{self.front.host}", username=ADMIN.username, password=ADMIN.password)

    async def move_source(self, repository: str, tag: str, content: int) -> None:
        """Point a tag of the source to one of CONTENTS."""
        remote = Remote.of(self.source)
        await asyncio.to_thread(remote.push_manifest, repository, tag, CONTENTS[content].root)

    async def serves(self, repository: str, reference: str) -> str | None:
        """Return the digest that the target serves for a tag or a digest, or None."""
        url = f"http://{self.front.host}/v2/{repository}/manifests/{reference}"
        types = ", ".join({image.root.media_type for image in CONTENTS})
        async with self.http.head(url, headers={**_LOGIN, "Accept": types}) as response:
            if response.status in _NOTHING_THERE:
                return None
            assert response.status == 200, response
            return response.headers["Docker-Content-Digest"]

    async def untag(self, repository: str, digest: Digest, tag: str) -> None:
        """Remove one tag through Harbor's API."""
        project, _, name = repository.partition("/")
        path = f"projects/{project}/repositories/{name}/artifacts/{digest}/tags/{tag}"
        async with self.http.delete(f"http://{self.front.host}/api/v2.0/{path}", headers=_LOGIN) as response:
            assert response.status in (200, 404), response

    async def create_project(self, name: str) -> None:
        """Create a project through Harbor's API, unless there is one."""
        body = {"project_name": name, "metadata": {"public": "false"}}
        async with self.http.post(f"http://{self.front.host}/api/v2.0/projects", headers=_LOGIN, json=body) as response:
            assert response.status in (201, 409), response

    async def has_project(self, name: str) -> bool:
        """Return whether Harbor has a project; a plain registry has every project."""
        if self.kind is TargetKind.REGISTRY:
            return True
        url = f"http://{self.front.host}/api/v2.0/projects/{name}"
        async with self.http.get(url, headers={**_LOGIN, "X-Is-Resource-Name": "true"}) as response:
            assert response.status in (200, 404), response
            return response.status == HTTPStatus.OK

    async def add_witness(self) -> None:
        """Have a ready image that no sequence touches: the patrol believes a loss only of a target that serves one."""
        project, _, _ = WITNESS.partition("/")
        if self.kind is TargetKind.HARBOR:
            await self.create_project(project)
        if await self.serves(WITNESS, "1") is None:
            await asyncio.to_thread(self.remote.push, WITNESS, "1", CONTENTS[0])
        async with self.database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO images (registry_host, repository, tag, status, source, source_digest, digest, created_by)
                VALUES ($1, $2, '1', 'ready', 'docker.io/library/known:1', $3, $3, 'root')
                ON CONFLICT DO NOTHING
                """,
                TARGET_NAME,
                WITNESS,
                CONTENTS[0].digest,
            )

    async def remove_tag(self, repository: str, tag: str, digest: str) -> None:
        """Remove a tag; a plain registry removes its manifest, with every tag of it."""
        if self.kind is TargetKind.HARBOR:
            return await self.untag(repository, Digest.parse(digest), tag)
        return await asyncio.to_thread(self.remote.delete_manifest, repository, digest)

    async def tags(self, repository: str) -> dict[str, str]:
        """Return every tag of a repository of the target, with its digest."""
        async with self.http.get(f"http://{self.front.host}/v2/{repository}/tags/list", headers=_LOGIN) as response:
            if response.status in _NOTHING_THERE:
                return {}
            names = (await response.json(content_type=None))["tags"] or ()
        found = await asyncio.gather(*(self.serves(repository, name) for name in names))
        return {name: digest for name, digest in zip(names, found, strict=True) if digest}


# Harbor answers 401 for a missing project.
_NOTHING_THERE = frozenset({401, 404})
_LOGIN = {"Authorization": aiohttp.encode_basic_auth(ADMIN.username, ADMIN.password, encoding="utf-8")}


@contextmanager
def running(servers: Servers, kind: TargetKind) -> Iterator["Running"]:
    """Run the product on an event loop in another thread while the block runs."""
    for origin in ORIGINS:
        for image in CONTENTS:
            Remote.of(servers.source).push(origin, "any", image)
    running = Running(servers, kind)
    try:
        running.start()
        yield running
    finally:
        running.stop()


class Running:
    """A World on its own event loop."""

    def __init__(self, servers: Servers, kind: TargetKind) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._ready: asyncio.Future[World] = self._loop.create_future()
        self._stop = asyncio.Event()
        self._lives = self._live(servers, kind)
        self.world: World

    def start(self) -> None:
        self._thread.start()
        self._life = asyncio.run_coroutine_threadsafe(self._lives, self._loop)
        self._life.add_done_callback(lambda life: life.exception())
        self.world = self.do(asyncio.wait_for(_of(self._ready), TIMEOUT))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on that loop, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._life.result(TIMEOUT)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _live(self, servers: Servers, kind: TargetKind) -> None:
        try:
            async with open_world(servers, kind) as world:
                self._ready.set_result(world)
                await self._stop.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


async def _of(future: "asyncio.Future[T]") -> T:
    return await future


@asynccontextmanager
async def open_world(servers: Servers, kind: TargetKind) -> AsyncIterator[World]:
    """Open all parts, with shortened pauses."""
    async with AsyncExitStack() as stack:
        stack.enter_context(_short_pauses())
        front = await stack.enter_async_context(open_front(kind, servers.upstream.url))
        settings = _settings(servers, kind, front.host)
        app = create_app(settings, (*REQUESTS_ONLY, relay_part))
        url = f"http://{await stack.enter_async_context(serving(app))}"
        database = await stack.enter_async_context(open_database(servers.database_url, application="test", size=8))
        async with database.connection() as connection:
            tokens = {
                user: await create_token(connection, user=user, role=role, lifetime=None)
                for user, role in {**USERS, "worker": Role.WORKER}.items()
            }
        http = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        gate, worker = await _open_worker(stack, settings, url, tokens["worker"])
        yield World(
            kind=kind,
            source=servers.source,
            front=front,
            app=app,
            url=url,
            tokens=tokens,
            database=database,
            gate=gate,
            worker=worker,
            http=http,
        )


@contextmanager
def _short_pauses() -> Iterator[None]:
    """Shorten the pauses, without changing the behaviour after them."""
    stamina.set_testing(True, attempts=ATTEMPTS, cap=True)
    try:
        with (
            patch.object(begin_deletion, "BEGIN_DEADLINE", 0.1),
            patch.object(begin_deletion, "PAUSE", 0.02),
            patch.object(reporter, "RETRY_INTERVAL", 0.02),
            patch.object(until_accepted, "RETRY_INTERVAL", 0.02),
            patch.object(run_import, "HAND_BACK_TIMEOUT", 0.5),
        ):
            yield
    finally:
        stamina.set_testing(False)


def _settings(servers: Servers, kind: TargetKind, host: str) -> Settings:
    network = NetworkPolicy.of(allowed_private=[LOOPBACK], plain_http=[servers.source.host, host])
    return Settings(
        shared=SharedSettings(
            database_url=servers.database_url,
            amqp_url=servers.amqp_url,
            target=TargetSettings(host=host, credential=ADMIN if kind is TargetKind.HARBOR else None, kind=kind),
            source_network=network,
            target_network=NetworkPolicy.of(plain_http=[host], trusted=True),
            log_style="json",
            log_level="INFO",
        ),
        secrets=SecretBox([new_key()]),
        host=LOOPBACK,
        port=0,
        default_project="imports",
        target_name=TARGET_NAME,
        drop_host_for=frozenset(),
        lease=LEASE,
        retries=RETRIES,
    )


async def _open_worker(stack: AsyncExitStack, settings: Settings, url: str, token: str) -> tuple[Gate, Worker]:
    gates: list[Gate] = []

    @asynccontextmanager
    async def open_gate(url: str, token: str) -> AsyncIterator[Gate]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers, trust_env=False) as http:
            gates.append(Gate(http, url))
            yield gates[0]

    worker_settings = WorkerSettings(
        shared=settings.shared,
        api_url=url,
        api_token=token,
        slots=SLOTS,
        layers=4,
        lease=LEASE,
        name="stateful",
        health_port=None,
        stop_grace=0,
    )
    worker = await stack.enter_async_context(open_worker(worker_settings, open_gate))
    task = asyncio.create_task(worker.run(asyncio.Event()))
    stack.push_async_callback(cancel_all, [task])
    return gates[0], worker
