"""The whole of Longshore on one machine, and one place to import its parts from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from deploy.local.images.image import DOCKER, OCI, Image
from deploy.local.images.remote import Addressed, Remote
from deploy.local.images.synthetic import synthetic_image, synthetic_layer
from deploy.local.permissive_rule import PERMISSIVE_RULE
from deploy.local.processes.scratch import LocalStackError, Process, Scratch
from deploy.local.processes.server import Server, new_key
from deploy.local.servers.harbor.server import Harbor
from deploy.local.servers.longshore import Api, Worker, worker_settings
from deploy.local.servers.postgres import DATABASE, Postgres
from deploy.local.servers.rabbitmq import RabbitMQ
from deploy.local.servers.registry import BasicAuth, Registry, Tls, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "DOCKER",
    "OCI",
    "Api",
    "BasicAuth",
    "Harbor",
    "Image",
    "LocalStackError",
    "Postgres",
    "Process",
    "RabbitMQ",
    "Registry",
    "Remote",
    "Scratch",
    "Server",
    "Stack",
    "Tls",
    "TokenAuth",
    "Worker",
    "synthetic_image",
    "synthetic_layer",
    "worker_settings",
]

# Settings that are lists, separated by commas.
LISTS = frozenset({"ALLOWED_PRIVATE", "PLAIN_HTTP_HOSTS", "TOKEN_REALMS", "CA_FILES"})


class Stack:
    """PostgreSQL, RabbitMQ, a source registry with a password, a target without one, the API and workers.

    Use it as a context manager on a Scratch. `settings` override the stack's own settings of both services, and extend
    those that are lists. `sources` are further registries that the services may call. With `harbor`, the target is a
    stand-in for Harbor. Users may import to every target, unless `permissive` is false.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        workers: int = 1,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        sources: Iterable[Registry] = (),
        broker: Mapping[str, str] | None = None,
        harbor: bool = False,
        permissive: bool = True,
    ) -> None:
        self.scratch = scratch
        self.postgres = Postgres(scratch, fsync=fsync)
        self.rabbitmq = RabbitMQ(scratch, settings=broker)
        self.source = Registry(scratch, name="source", auth=BasicAuth())
        self.target = Harbor(scratch, name="target") if harbor else Registry(scratch, name="target")
        self.api = Api(scratch, merged(self._settings(tuple(sources)), settings or {}))
        self.workers: list[Worker] = []
        self._wanted = workers
        self._permissive = permissive

    def _settings(self, sources: tuple[Registry, ...]) -> dict[str, str]:
        registries = (self.source, self.target, *sources)
        return {
            "DATABASE_URL": self.postgres.url,
            "WORKER_DATABASE_URL": self.postgres.worker_url,
            "AMQP_URL": self.rabbitmq.amqp,
            "TARGET_URL": self.target.url,
            "TARGET_KIND": "harbor" if isinstance(self.target, Harbor) else "registry",
            "TARGET_USERNAME": self.target.username or "",
            "TARGET_PASSWORD": self.target.password or "",
            # There is no load balancer in front of the API that has to notice its stop.
            "DRAIN_SECONDS": "0",
            "SECRET_KEYS": new_key(),
            "ALLOWED_PRIVATE": ",".join(registry.host for registry in registries),
            "PLAIN_HTTP_HOSTS": ",".join(registry.host for registry in registries if registry.url.startswith("http:")),
        }

    def start(self) -> Self:
        """Start everything and return when it is ready."""
        self.start_servers()
        self.api.start()
        start_together(*(self._new_worker() for _ in range(self._wanted)))
        return self

    def start_servers(self) -> None:
        """Start the servers, migrate the database and create the tokens."""
        # RabbitMQ takes longer than everything else together.
        with ThreadPoolExecutor(1) as pool:
            broker = pool.submit(self.rabbitmq.start)
            start_together(self.postgres, self.source, self.target)
            self.api.prepare_once()
            if self._permissive:
                self.postgres.execute(PERMISSIVE_RULE, database=DATABASE)
            self._make_tokens()
            broker.result()

    def _make_tokens(self) -> None:
        wanted = {"admin": "admin", "demo": "user", "worker": "worker"}
        with ThreadPoolExecutor(len(wanted)) as pool:
            tokens = pool.map(self.api.new_token, wanted.keys(), wanted.values())
            self.admin_token, self.user_token, self.worker_token = tokens

    def add_worker(self, settings: Mapping[str, str] | None = None) -> Worker:
        """Start another worker."""
        return self._new_worker(settings).start()

    def _new_worker(self, settings: Mapping[str, str] | None = None) -> Worker:
        worker = Worker(
            self.scratch,
            worker_settings(self.api.settings) | dict(settings or {}),
            api=self.api.url,
            token=self.worker_token,
            name=f"worker-{len(self.workers) + 1}",
        )
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        """Stop the services with SIGTERM, and kill the servers."""
        servers = (self.rabbitmq, self.postgres, self.source, self.target)
        for server in servers:
            server.thaw()  # Otherwise the services would wait for a frozen server.
        together([worker.stop for worker in self.workers])
        self.api.stop()
        together([server.discard for server in servers])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def describe(self) -> dict[str, Any]:
        """Return the content of .run/stack.json."""
        return {
            "api": self.api.url,
            "admin_token": self.admin_token,
            "user_token": self.user_token,
            "worker_token": self.worker_token,
            "source_registry": address(self.source),
            "target_registry": address(self.target),
            "rabbitmq": {
                "amqp": self.rabbitmq.amqp,
                "management": self.rabbitmq.management,
                "username": self.rabbitmq.username,
                "password": self.rabbitmq.password,
            },
            "database": self.postgres.url,
            "pids": {
                "api": self.api.pid,
                "workers": [worker.pid for worker in self.workers],
                "postgres": self.postgres.pid,
                "rabbitmq": self.rabbitmq.pid,
                "source_registry": self.source.pid,
                "target_registry": self.target.pid,
            },
        }


def merged(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Return both settings: lists joined, others as in the second."""
    joined = {name: ",".join(filter(None, (ours.get(name), theirs[name]))) for name in LISTS & theirs.keys()}
    return {**ours, **theirs, **joined}


def address(registry: Addressed) -> dict[str, str | None]:
    """Return the address of a registry and its account."""
    return {"url": registry.url, "username": registry.username, "password": registry.password}


def start_together(*servers: Server) -> None:
    """Start servers in parallel."""
    together([server.start for server in servers])


def together(steps: Sequence[Callable[[], object]]) -> None:
    """Run functions in parallel; raises the first failure after all have ended."""
    if not steps:
        return
    with ThreadPoolExecutor(len(steps)) as pool:
        for step in [pool.submit(step) for step in steps]:
            step.result()
