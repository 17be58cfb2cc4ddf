"""The testbed of one scenario: the shared servers, its own database and virtual host, and its own services."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import secrets
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Self, TypeVar

from deploy.local.images.verify import Place, verify
from deploy.local.stack import (
    Api,
    LocalStackError,
    Remote,
    Server,
    Worker,
    merged,
    start_together,
    synthetic_image,
    together,
    worker_settings,
)
from shared.model.states import FINAL_STATES, ImportState
from tests.conftest import manage
from tests.faults.bench.imports import Accepted, Change, Outcome, PushedImage
from tests.faults.bench.shared_servers import SharedServers
from tests.faults.bench.size import Size
from tests.faults.link import Link

Value = TypeVar("Value")

# Concurrent requests of the bench's clients, and concurrent pushes.
AT_ONCE = 8
# A client that gets nothing for this time tries another API. Seconds.
REQUEST_SECONDS = 15.0
# A client retries for this time until its import is accepted. Seconds.
ACCEPT_TIMEOUT = 120.0
# A query retries for this time while the database is down. Seconds.
DATABASE_SECONDS = 60.0
# The pause between two tries of a client, and between two queries of the database. Seconds.
RETRY_SECONDS = 0.2
POLL_SECONDS = 0.25
# The limit of a wait in the short form: pytest's time limit would end a longer one before it can report the failure.
# Seconds.
SHORT_TIMEOUT = 60.0
SMALL_LAYERS = (3_000, 1_000)
TOO_MANY_REQUESTS = 429

OUTCOMES = """
SELECT json_build_object(
    'name', imports.name, 'image_id', image_id, 'state', state, 'code', error_code, 'repository', repository,
    'tag', tag, 'digest', digest, 'attempt', attempt, 'failures', failures,
    'seconds', extract(epoch FROM finished_at - imports.created_at),
    'ends', (SELECT count(*) FROM bench_history
             WHERE import_id = imports.id AND bench_history.state IN ('ready', 'failed', 'cancelled')))
FROM imports JOIN images ON images.id = image_id ORDER BY imports.id
"""
CHANGES = """
SELECT json_build_object('name', name, 'state', state, 'attempt', attempt, 'failures', failures, 'owner', owner,
                         'at', extract(epoch FROM at))
FROM bench_history ORDER BY id
"""


class ReadyApi(Api):
    """An API whose database is already migrated."""

    def prepare(self) -> None:
        """Do nothing."""


class Testbed:
    """Use it as a context manager. `rng`, which depends on the seed and the scenario's name, is the only randomness.

    Create links before the services that use them: a service reads the allowed hosts at its start.
    """

    # pytest would collect a class of this name.
    __test__ = False

    def __init__(self, shared_servers: SharedServers, name: str, *, seed: int, size: Size) -> None:
        self.shared_servers = shared_servers
        self.name, self.seed, self.size = name, seed, size
        self.rng = random.Random(f"{name} {seed}")
        self.scratch = shared_servers.scratch
        self.postgres, self.rabbitmq = shared_servers.postgres, shared_servers.rabbitmq
        self.source, self.target = shared_servers.source, shared_servers.target
        self.apis: list[Api] = []
        self.workers: list[Worker] = []
        self._links: list[Link] = []
        self._hosts: list[str] = []
        # A seed may run repeatedly on the shared servers, so the names of the parts are unique.
        self._label = f"{name}-{secrets.token_hex(3)}"
        self._images = count()

    def __enter__(self) -> Self:
        self.shared_servers.mend()
        self.database = self._label.replace("-", "_")
        self.database_url = self.shared_servers.clone_database(self.database)
        manage(self.rabbitmq, "PUT", f"vhosts/{self._label}")
        self.amqp_url = f"{self.rabbitmq.amqp}{self._label}"
        self.target_url = self.target.url
        return self

    def __exit__(self, *_: object) -> None:
        together([server.discard for server in (*self.apis, *self.workers, *self._links)])
        self.shared_servers.mend()
        self.postgres.drop_database(self.database)
        manage(self.rabbitmq, "DELETE", f"vhosts/{self._label}")

    @property
    def virtual_host(self) -> str:
        """The name of the virtual host in RabbitMQ."""
        return self._label

    @property
    def servers(self) -> Sequence[Server]:
        """All services and servers of the testbed."""
        return (*self.apis, *self.workers, self.postgres, self.rabbitmq, self.source, self.target, *self._links)

    def link(self, name: str, to: int) -> Link:
        """Start a link to a port, through which services may call a registry. See `through`."""
        link = Link(self.scratch, to, name=f"{self._label}-{name}")
        self._links.append(link)
        self.allow(link.host)
        link.start()
        return link

    def allow(self, host: str) -> None:
        """Allow services that are created later to call this registry over plain HTTP; `host` is host:port."""
        self._hosts.append(host)

    def add_api(self, **settings: str) -> Api:
        """Start an API; the settings override the testbed's."""
        return self.new_api(**settings).start()

    def new_api(self, **settings: str) -> Api:
        """Create an API without starting it."""
        api = ReadyApi(self.scratch, self._settings(settings), name=f"{self._label}-api-{len(self.apis) + 1}")
        self.apis.append(api)
        return api

    def add_worker(self, *, api: str | None = None, **settings: str) -> Worker:
        """Start a worker; the settings override the testbed's, and `api` is another URL for its reports."""
        return self.new_worker(api=api, **settings).start()

    def new_worker(self, *, api: str | None = None, **settings: str) -> Worker:
        """Create a worker without starting it; by default, workers report to the APIs in turn."""
        worker = Worker(
            self.scratch,
            worker_settings(self._settings(settings)),
            api=api or self.apis[len(self.workers) % len(self.apis)].url,
            token=self.shared_servers.worker_token,
            name=f"{self._label}-worker-{len(self.workers) + 1}",
        )
        self.workers.append(worker)
        return worker

    def start(self, *, apis: int = 1, workers: int = 1, **settings: str) -> None:
        """Start these numbers of APIs and workers in parallel, all with these settings."""
        fresh: list[Server] = [self.new_api(**settings) for _ in range(apis)]
        fresh += [self.new_worker(**settings) for _ in range(workers)]
        start_together(*fresh)

    def stop_services(self) -> None:
        """Stop all services, so that the next part of a scenario starts its own."""
        together([service.stop for service in (*self.apis, *self.workers)])
        self.apis.clear()
        self.workers.clear()

    def _settings(self, settings: dict[str, str]) -> dict[str, str]:
        hosts = ",".join(self._hosts)
        own = {
            "DATABASE_URL": self.database_url,
            "AMQP_URL": self.amqp_url,
            "TARGET_URL": self.target_url,
            "TARGET_NAME": self.target.host,
            "ALLOWED_PRIVATE": hosts,
            "PLAIN_HTTP_HOSTS": hosts,
        }
        return merged(merged(self.shared_servers.settings, own), settings)

    def push(self, number: int, *, layers: Sequence[int] = SMALL_LAYERS, host: str | None = None) -> list[PushedImage]:
        """Push this number of distinct images to the source; `host` is another address of it, such as a link's."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda _: self._push(next(self._images), layers, host), range(number)))

    def _push(self, number: int, layers: Sequence[int], host: str | None) -> PushedImage:
        repository = f"{self._label}/{number}"
        image = synthetic_image(f"{self._label} {number}", layers, platforms=("linux/amd64",), index=False)
        Remote.of(self.source).push(repository, "latest", image)
        reference = f"{host or self.source.host}/{repository}:latest"
        return PushedImage(reference=reference, repository=repository, image=image)

    def ask(self, method: str, path: str, body: object = None, *, api: Api | None = None) -> tuple[int, Any]:
        """Send one request to an API as a user; OSError or HTTPException if it does not answer."""
        chosen = api or self.apis[0]
        return chosen.request(method, f"/api/v1{path}", self.shared_servers.user_token, body, seconds=REQUEST_SECONDS)

    def accept(self, pushed: PushedImage, **more: object) -> Accepted:
        """Request an import from the APIs in turn, until one answers with 200."""
        limit = time.monotonic() + ACCEPT_TIMEOUT
        for tries in count():
            api = self.apis[tries % len(self.apis)]
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                status, answer = self.ask("POST", "/images:import", {"source": pushed.reference, **more}, api=api)
                if status == http.client.OK:
                    return Accepted(pushed=pushed, image_id=answer["imageId"], name=answer["name"], tries=tries)
                if status < http.client.INTERNAL_SERVER_ERROR and status != TOO_MANY_REQUESTS:
                    raise LocalStackError(f"{pushed.reference}: {status} {answer}")
            if time.monotonic() > limit:
                raise LocalStackError(f"{pushed.reference} was not accepted in {ACCEPT_TIMEOUT:.0f} s")
            time.sleep(RETRY_SECONDS)
        raise AssertionError

    def accept_all(self, pushed: Iterable[PushedImage], *, at_once: int = AT_ONCE) -> list[Accepted]:
        """Request imports of all images, `at_once` in parallel."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.accept, pushed))

    def sql(self, query: str) -> str:
        """Query the database; wait for it if it is down."""
        return self.retrying(lambda: self.postgres.execute(query, database=self.database), DATABASE_SECONDS)

    def outcomes(self) -> list[Outcome]:
        """Return all imports in the order of their acceptance."""
        documents = map(json.loads, self.sql(OUTCOMES).splitlines())
        return [Outcome(**{**document, "state": ImportState(document["state"])}) for document in documents]

    def changes(self) -> list[Change]:
        """Return all changes of all imports' states, in order."""
        documents = map(json.loads, self.sql(CHANGES).splitlines())
        return [Change(**{**document, "state": ImportState(document["state"])}) for document in documents]

    def now(self) -> float:
        """Return the database's time in Unix seconds."""
        return float(self.sql("SELECT extract(epoch FROM clock_timestamp())"))

    def running_at(self, worker: Worker) -> list[str]:
        """Return the names of the imports that this worker has leased."""
        owner = worker.settings["WORKER_NAME"]
        return self.sql(f"SELECT name FROM imports WHERE lease_owner = '{owner}'").splitlines()

    def wait_final(self, seconds: float, *, states: Collection[ImportState] = FINAL_STATES) -> list[Outcome]:
        """Wait until each import is in one of these states, at most `seconds`, and return all imports."""
        seconds = self.size.of(full=seconds, short=min(seconds, SHORT_TIMEOUT))
        among = ", ".join(f"'{state}'" for state in states)
        self.wait_until(lambda: self.sql(f"SELECT count(*) FROM imports WHERE state NOT IN ({among})") == "0", seconds)
        return self.outcomes()

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Poll a condition; returns False if it is not true within `seconds`."""
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def retrying(self, step: Callable[[], Value], seconds: float) -> Value:
        """Repeat a function until it succeeds; raises its last error after `seconds`."""
        limit = time.monotonic() + seconds
        while True:
            try:
                return step()
            except (LocalStackError, OSError, http.client.HTTPException):
                if time.monotonic() > limit:
                    raise
            time.sleep(POLL_SECONDS)

    def serves(self, outcome: Outcome, digest: str) -> bool:
        """Return whether the image's tag in the target has this digest, with complete content."""
        place = Place(remote=Remote.of(self.target), repository=outcome.repository)
        try:
            found = place.remote.manifest(place.repository, outcome.tag).digest
            verify(found, place)
        except LocalStackError:
            return False
        return found == digest


def through(url: str, link: Link) -> str:
    """Return the URL with the link's address instead of the server's."""
    parts = urllib.parse.urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}{link.host}").geturl()
