"""Where one scenario plays: the plant's servers, a database and a virtual host of its own, and its own services."""

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
from deploy.local.servers.longshore import COMMAND_SECONDS
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
)
from shared.model.states import FINAL_STATES, ImportState
from tests.conftest import manage
from tests.faults.bench.plant import Plant
from tests.faults.bench.size import Size
from tests.faults.bench.wanted import Accepted, Change, Outcome, Wanted
from tests.faults.link import Link

Value = TypeVar("Value")

# Requests that a client of the bench sends at a time, and images that are pushed at a time.
AT_ONCE = 8
# A client that hears nothing for so long asks another API. Seconds.
REQUEST_SECONDS = 15.0
# How long a client goes on asking until its import is accepted. Seconds.
ACCEPT_PATIENCE = 120.0
# Between two tries of a client, and two looks at the database. Seconds.
RETRY_SECONDS = 0.2
LOOK_SECONDS = 0.25
# What is waited for in a short form at most: a test that waits for longer is ended before it can say what is wrong.
# Seconds.
SHORT_PATIENCE = 60.0
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
    """An API whose database has its schema already."""

    def prepare(self) -> None:
        """Nothing."""


class Ground:
    """Use it as a context manager. Everything random comes from `rng`, which the seed and the scenario's name decide.

    Links are made before the services that use them: these learn at their start which hosts they may call.
    """

    def __init__(self, plant: Plant, name: str, *, seed: int, size: Size) -> None:
        self.plant = plant
        self.name, self.seed, self.size = name, seed, size
        self.rng = random.Random(f"{name} {seed}")
        self.scratch = plant.scratch
        self.postgres, self.rabbitmq = plant.postgres, plant.rabbitmq
        self.source, self.target = plant.source, plant.target
        self.apis: list[Api] = []
        self.workers: list[Worker] = []
        self._links: list[Link] = []
        self._hosts: list[str] = []
        # A seed is played more than once on a plant; its parts have names of their own each time.
        self._label = f"{name}-{secrets.token_hex(3)}"
        self._images = count()

    def __enter__(self) -> Self:
        self.plant.mend()
        self.database = self._label.replace("-", "_")
        self.database_url = self.plant.clone_database(self.database)
        manage(self.rabbitmq, "PUT", f"vhosts/{self._label}")
        self.amqp_url = f"{self.rabbitmq.amqp}{self._label}"
        self.target_url = self.target.url
        return self

    def __exit__(self, *_: object) -> None:
        together([server.discard for server in (*self.apis, *self.workers, *self._links)])
        self.plant.mend()
        self.postgres.drop_database(self.database)
        manage(self.rabbitmq, "DELETE", f"vhosts/{self._label}")

    @property
    def virtual_host(self) -> str:
        """The name of its part of RabbitMQ."""
        return self._label

    @property
    def servers(self) -> Sequence[Server]:
        """All of ours and all that they use, to be harmed or looked into."""
        return (*self.apis, *self.workers, self.postgres, self.rabbitmq, self.source, self.target, *self._links)

    def link(self, name: str, to: int) -> Link:
        """Start a link to a port; registries may be called through it. See `through`."""
        link = Link(self.scratch, to, name=f"{self._label}-{name}")
        self._links.append(link)
        self.allow(link.host)
        link.start()
        return link

    def allow(self, host: str) -> None:
        """Let services that are made from now on call this registry, in plain HTTP; `host` is host:port."""
        self._hosts.append(host)

    def add_api(self, **settings: str) -> Api:
        """Start an API with further settings, which go before the ground's own."""
        return self.new_api(**settings).start()

    def new_api(self, **settings: str) -> Api:
        """Make an API that is not started yet."""
        api = ReadyApi(self.scratch, self._settings(settings), name=f"{self._label}-api-{len(self.apis) + 1}")
        self.apis.append(api)
        return api

    def add_worker(self, *, api: str | None = None, **settings: str) -> Worker:
        """Start a worker with further settings; `api` is the URL that it reports to, by default one of the APIs'."""
        return self.new_worker(api=api, **settings).start()

    def new_worker(self, *, api: str | None = None, **settings: str) -> Worker:
        """Make a worker that is not started yet; the default API's URL changes from worker to worker."""
        worker = Worker(
            self.scratch,
            self._settings(settings),
            api=api or self.apis[len(self.workers) % len(self.apis)].url,
            token=self.plant.worker_token,
            name=f"{self._label}-worker-{len(self.workers) + 1}",
        )
        self.workers.append(worker)
        return worker

    def start(self, *, apis: int = 1, workers: int = 1, **settings: str) -> None:
        """Start so many of both, side by side, all with these settings."""
        fresh: list[Server] = [self.new_api(**settings) for _ in range(apis)]
        fresh += [self.new_worker(**settings) for _ in range(workers)]
        start_together(*fresh)

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
        return merged(merged(self.plant.settings, own), settings)

    def push(self, number: int, *, layers: Sequence[int] = SMALL_LAYERS, host: str | None = None) -> list[Wanted]:
        """Put so many different images into the source; `host` is where requests find it, such as a link's."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda _: self._push(next(self._images), layers, host), range(number)))

    def _push(self, number: int, layers: Sequence[int], host: str | None) -> Wanted:
        repository = f"{self._label}/{number}"
        image = synthetic_image(f"{self._label} {number}", layers, platforms=("linux/amd64",), index=False)
        Remote.of(self.source).push(repository, "latest", image)
        reference = f"{host or self.source.host}/{repository}:latest"
        return Wanted(reference=reference, repository=repository, image=image)

    def ask(self, method: str, path: str, body: object = None, *, api: Api | None = None) -> tuple[int, Any]:
        """Ask an API as a user, once; OSError and HTTPException where it does not answer."""
        chosen = api or self.apis[0]
        return chosen.request(method, f"/api/v1{path}", self.plant.user_token, body, seconds=REQUEST_SECONDS)

    def accept(self, wanted: Wanted, **more: object) -> Accepted:
        """Ask for an import as a stubborn client does: of one API after the other, until it is answered with 200."""
        limit = time.monotonic() + ACCEPT_PATIENCE
        for tries in count():
            api = self.apis[tries % len(self.apis)]
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                status, answer = self.ask("POST", "/images:import", {"source": wanted.reference, **more}, api=api)
                if status == http.client.OK:
                    return Accepted(wanted=wanted, image_id=answer["imageId"], name=answer["name"], tries=tries)
                if status < http.client.INTERNAL_SERVER_ERROR and status != TOO_MANY_REQUESTS:
                    raise LocalStackError(f"{wanted.reference}: {status} {answer}")
            if time.monotonic() > limit:
                raise LocalStackError(f"{wanted.reference} was not accepted in {ACCEPT_PATIENCE:.0f} s")
            time.sleep(RETRY_SECONDS)
        raise AssertionError

    def accept_all(self, wanted: Iterable[Wanted], *, at_once: int = AT_ONCE) -> list[Accepted]:
        """Ask for imports of all, some at a time."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.accept, wanted))

    def sql(self, query: str) -> str:
        """Ask the database, waiting for it if it is away."""
        return self.patiently(lambda: self.postgres.execute(query, database=self.database), COMMAND_SECONDS)

    def outcomes(self) -> list[Outcome]:
        """Return all imports, in the order of their acceptance."""
        documents = map(json.loads, self.sql(OUTCOMES).splitlines())
        return [Outcome(**{**document, "state": ImportState(document["state"])}) for document in documents]

    def changes(self) -> list[Change]:
        """Return every change of every import's state, in their order."""
        documents = map(json.loads, self.sql(CHANGES).splitlines())
        return [Change(**{**document, "state": ImportState(document["state"])}) for document in documents]

    def now(self) -> float:
        """Return the database's time, Unix seconds."""
        return float(self.sql("SELECT extract(epoch FROM clock_timestamp())"))

    def running_at(self, worker: Worker) -> list[str]:
        """Return the names of the imports that this worker has leases of."""
        owner = worker.settings["WORKER_NAME"]
        return self.sql(f"SELECT name FROM imports WHERE lease_owner = '{owner}'").splitlines()

    def wait_final(self, seconds: float, *, states: Collection[ImportState] = FINAL_STATES) -> list[Outcome]:
        """Return all imports as soon as each is in one of these states, or after so long, whatever they are."""
        seconds = self.size.of(full=seconds, short=min(seconds, SHORT_PATIENCE))
        among = ", ".join(f"'{state}'" for state in states)
        self.wait_until(lambda: self.sql(f"SELECT count(*) FROM imports WHERE state NOT IN ({among})") == "0", seconds)
        return self.outcomes()

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Look again and again; False when it has not come true in so long."""
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def patiently(self, step: Callable[[], Value], seconds: float) -> Value:
        """Take a step again and again until it succeeds; its last failure is raised after so long."""
        limit = time.monotonic() + seconds
        while True:
            try:
                return step()
            except (LocalStackError, OSError, http.client.HTTPException):
                if time.monotonic() > limit:
                    raise
            time.sleep(LOOK_SECONDS)

    def serves(self, outcome: Outcome, digest: str) -> bool:
        """Tell whether the target has this digest under the image's tag, and all that is below it, byte for byte."""
        place = Place(remote=Remote.of(self.target), repository=outcome.repository)
        try:
            found = place.remote.manifest(place.repository, outcome.tag).digest
            verify(found, place)
        except LocalStackError:
            return False
        return found == digest


def through(url: str, link: Link) -> str:
    """Return the URL with the link in the place of the server that it leads to."""
    parts = urllib.parse.urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}{link.host}").geturl()
