"""The whole product, as processes: the API, workers as a test wants them, and all that they need."""

import os
import secrets
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.local.images.image import Image
from deploy.local.images.verify import Place, Verified, verify
from deploy.local.servers.registry import DISTRIBUTION_3
from deploy.local.stack import Registry, Remote, Scratch, Stack, Worker, merged
from tests.faults.link import Link

# Short, so that a killed worker's import is taken over while a test waits.
LEASE_SECONDS = "3"
# Everything here takes a few seconds; this is for a machine that is busy with something else.
PATIENCE = 90.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Product:
    """What a person can do with a running Longshore."""

    stack: Stack

    def push(self, image: Image, repository: str | None = None, tag: str = "latest") -> str:
        """Put an image into the source registry and return its repository."""
        name = repository or f"test/{secrets.token_hex(6)}"
        Remote.of(self.stack.source).push(name, tag, image)
        return name

    def post(self, body: object, token: str | None = None) -> tuple[int, Any]:
        return self.stack.api.request("POST", "/api/v1/images:import", token or self.stack.user_token, body)

    def request_for(self, repository: str, tag: str = "latest", **more: object) -> dict[str, object]:
        source = self.stack.source
        credentials = {"username": source.username, "password": source.password}
        return {"source": f"{source.host}/{repository}:{tag}", "credentials": credentials, **more}

    def start(self, repository: str, tag: str = "latest", **more: object) -> int:
        """Start an import and return the image's id."""
        status, answer = self.post(self.request_for(repository, tag, **more))
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
        """Poll the details until the import is in one of these states and return them; `keep` gets all of them."""
        seen = [] if keep is None else keep
        limit = time.monotonic() + PATIENCE
        while True:
            seen.append(self.details(image_id))
            if seen[-1]["state"] in states:
                return seen[-1]
            assert time.monotonic() < limit, seen[-1]
            time.sleep(POLL_SECONDS)

    def ready(self, image_id: int) -> Any:
        """Wait for the import's good end and return the image."""
        details = self.wait(image_id)
        assert details["status"] == "ready", details
        return self.get(f"/images/{image_id}")

    def verify(self, image: Any, repository: str, target_registry: Registry | None = None) -> Verified:
        """Read the image back from the target and compare it with the source, blob for blob."""
        remote = Remote.of(target_registry or self.stack.target)
        target = Place(remote=remote, repository=image["repo"])
        source = Place(remote=Remote.of(self.stack.source), repository=repository)
        assert remote.manifest(image["repo"], image["imageTag"]).digest == image["digest"]
        return verify(image["digest"], target, source)

    def sql(self, query: str) -> str:
        return self.stack.postgres.execute(query, database="longshore")

    @contextmanager
    def workers(self, count: int = 1, **settings: str) -> Iterator[list[Worker]]:
        """Run workers while the block does."""
        with ThreadPoolExecutor(count) as pool:
            started = list(pool.map(lambda _: self.stack.add_worker(settings), range(count)))
        try:
            yield started
        finally:
            for worker in started:
                worker.stop()


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Other ways to the stack's registries, which the services may use; whoever needs one starts it.

    `keeping` is another target: a registry that keeps upload sessions. At `spare_port` a test may put its own source.
    """

    source: Link
    target: Link
    keeping: Registry
    to_keeping: Link
    spare_port: int


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Stack]:
    """The product's parts, not started yet."""
    settings = {
        "LEASE_SECONDS": LEASE_SECONDS,
        "RETRY_BASE_SECONDS": "1",
        "DOCKER_SOURCE": "users",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }
    with Scratch() as scratch:
        yield Stack(scratch, workers=0, fsync=False, settings=settings)


@pytest.fixture(scope="session")
def ways(own_stack: Stack) -> Ways:
    """Reserve their ports, and let the services use them."""
    scratch = own_stack.scratch
    keeping = Registry(scratch, name="keeping", program=DISTRIBUTION_3.path)
    ports = {"source": own_stack.source.port, "target": own_stack.target.port, "to_keeping": keeping.port}
    links = {name: Link(scratch, port, name=f"{name}-link") for name, port in ports.items()}
    spare_port = scratch.ports.reserve()
    hosts = ",".join([keeping.host, f"127.0.0.1:{spare_port}", *(link.host for link in links.values())])
    own_stack.api.settings = merged(own_stack.api.settings, {"ALLOWED_PRIVATE": hosts, "PLAIN_HTTP_HOSTS": hosts})
    return Ways(keeping=keeping, spare_port=spare_port, **links)


@pytest.fixture(scope="session")
def product(own_stack: Stack, ways: Ways) -> Iterator[Product]:
    with own_stack as stack:
        yield Product(stack)
