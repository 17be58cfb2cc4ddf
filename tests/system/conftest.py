"""The whole product as processes: the API, the workers that a test starts, and the servers that they need."""

import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.local.images.image import Image
from deploy.local.images.verify import Place, Verified, verify
from deploy.local.servers.registry import DISTRIBUTION_3
from deploy.local.stack import Registry, Remote, Scratch, Stack, Worker, merged
from tests.faults.fault import Direction, Freeze
from tests.faults.link import Link

# Short, so that another worker takes over a killed worker's import while a test waits.
LEASE_SECONDS = "3"
# Seconds to wait for one event. Each takes a few seconds; the limit allows for a busy machine.
TIMEOUT = 90.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Product:
    """A running Longshore, with the actions of its users."""

    stack: Stack

    def push(self, image: Image, repository: str | None = None, tag: str = "latest") -> str:
        """Push an image to the source registry and return its repository."""
        name = repository or f"test/{secrets.token_hex(6)}"
        Remote.of(self.stack.source).push(name, tag, image)
        return name

    def post(self, body: object, token: str | None = None) -> tuple[int, Any]:
        return self.stack.api.request("POST", "/api/v1/images:import", token or self.stack.user_token, body)

    def request_for(
        self, repository: str, tag: str = "latest", *, host: str | None = None, **more: object
    ) -> dict[str, object]:
        """Return the body of an import request; `host` is another address of the source registry, such as a link."""
        source = self.stack.source
        credentials = {"username": source.username, "password": source.password}
        return {"source": f"{host or source.host}/{repository}:{tag}", "credentials": credentials, **more}

    def start(self, repository: str, tag: str = "latest", *, host: str | None = None, **more: object) -> int:
        """Start an import and return the image's id."""
        status, answer = self.post(self.request_for(repository, tag, host=host, **more))
        assert (status, answer["state"]) == (200, 1), answer
        image_id: int = answer["imageId"]
        return image_id

    def get(self, path: str) -> Any:
        status, answer = self.stack.api.request("GET", f"/api/v1{path}", self.stack.user_token)
        assert status == 200, answer
        return answer

    def details(self, image_id: int) -> Any:
        return self.get(f"/images/{image_id}/importing-details")

    def wait(
        self,
        image_id: int,
        *,
        states: Collection[str] = ("ready", "failed", "cancelled"),
        keep: list[Any] | None = None,
    ) -> Any:
        """Poll the details until the import is in one of these states and return them; `keep` collects all of them."""
        seen = [] if keep is None else keep

        def arrived() -> bool:
            seen.append(self.details(image_id))
            return seen[-1]["state"] in states

        wait_until(arrived, lambda: seen[-1])
        return seen[-1]

    def ready(self, image_id: int) -> Any:
        """Wait until the import is ready and return the image."""
        details = self.wait(image_id)
        assert details["status"] == "ready", details
        return self.get(f"/images/{image_id}")

    def verify(self, image: Any, repository: str, target_registry: Registry | None = None) -> Verified:
        """Read the image back from the target and compare every blob with the source's."""
        remote = Remote.of(target_registry or self.stack.target)
        target = Place(remote=remote, repository=image["repo"])
        source = Place(remote=Remote.of(self.stack.source), repository=repository)
        assert remote.manifest(image["repo"], image["imageTag"]).digest == image["digest"]
        return verify(image["digest"], target, source)

    def sql(self, query: str) -> str:
        return self.stack.postgres.execute(query, database="longshore")

    @contextmanager
    def workers(self, count: int = 1, **settings: str) -> Iterator[list[Worker]]:
        """Run workers while the block runs."""
        with ThreadPoolExecutor(count) as pool:
            started = list(pool.map(lambda _: self.stack.add_worker(settings), range(count)))
        try:
            yield started
        finally:
            for worker in started:
                worker.stop()


@dataclass(frozen=True, kw_only=True)
class Links:
    """Links to the stack's registries, which the services may use. A test starts the links that it needs.

    `resumable` is another target: a registry that keeps the upload sessions of cut requests. At `spare_port` a test may
    serve another source.
    """

    source: Link
    target: Link
    resumable: Registry
    to_resumable: Link
    spare_port: int


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Stack]:
    """The parts of the product; the fixture `product` starts them."""
    settings = {
        "LEASE_SECONDS": LEASE_SECONDS,
        "RETRY_BASE_SECONDS": "1",
        "DOCKER_SOURCE": "users",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }
    with Scratch() as scratch:
        yield Stack(scratch, workers=0, fsync=False, settings=settings)


@pytest.fixture(scope="session")
def links(own_stack: Stack) -> Links:
    """Reserve the ports of the links, and allow the services to call them."""
    scratch = own_stack.scratch
    resumable = Registry(scratch, name="resumable", program=DISTRIBUTION_3.path)
    ports = {"source": own_stack.source.port, "target": own_stack.target.port, "to_resumable": resumable.port}
    links = {name: Link(scratch, port, name=f"{name}-link") for name, port in ports.items()}
    spare_port = scratch.ports.reserve()
    hosts = ",".join([resumable.host, f"127.0.0.1:{spare_port}", *(link.host for link in links.values())])
    own_stack.api.settings = merged(own_stack.api.settings, {"ALLOWED_PRIVATE": hosts, "PLAIN_HTTP_HOSTS": hosts})
    return Links(resumable=resumable, spare_port=spare_port, **links)


@pytest.fixture(scope="session")
def product(own_stack: Stack, links: Links) -> Iterator[Product]:
    with own_stack as stack:
        yield Product(stack)


@pytest.fixture(scope="module")
def source_link(product: Product, links: Links) -> Iterator[Link]:
    """The link to the source registry, started."""
    assert product.stack.source.alive
    with links.source as link:
        yield link


@contextmanager
def held_transfers(link: Link, after: int, direction: Direction = Direction.TO_CLIENT) -> Iterator[None]:
    """Hold every connection through the link at this byte while the block runs.

    An import with a larger layer cannot end meanwhile, however slow the test is.
    """
    with link.injecting(Freeze(direction=direction, after=after)):
        yield


def wait_until_held(link: Link) -> None:
    """Wait until `held_transfers` holds a connection."""
    wait_until(lambda: any(link.counts().affected))


def wait_until(condition: Callable[[], object], detail: Callable[[], object] = lambda: None) -> None:
    """Poll until the condition is true; fail with the detail after TIMEOUT."""
    limit = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < limit, detail()
        time.sleep(POLL_SECONDS)
