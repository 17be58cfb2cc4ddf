"""A real engine, used as with the docker command."""

import gzip
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiodocker import Docker

from deploy.local.images.seed import demo_image
from deploy.local.paths import CACHE
from deploy.local.processes.scratch import LocalStackError, Scratch
from deploy.local.servers.docker_engine import DockerEngine
from tests.import_worker.engine.exports import Saved, chunks

BASE = "base:1"
# Bytes sent to an engine at a time.
PIECE = 1024 * 1024
# A container prints a line and ends within this time. Seconds.
RUN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The digests by which an engine identifies an image."""

    id: str
    diff_ids: Sequence[str]


@contextmanager
def started(scratch: Scratch, name: str) -> Iterator[DockerEngine]:
    """Start an engine, or skip the test if none can run; with `CI` set, that is a failure."""
    if os.geteuid() != 0:
        pytest.skip("a Docker Engine needs root")
    engine = DockerEngine(scratch, name=name)
    try:
        engine.start()
    except LocalStackError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Docker Engine starts here: {error}")
    try:
        yield engine
    finally:
        engine.stop()


@asynccontextmanager
async def client(engine: DockerEngine) -> AsyncIterator[Docker]:
    async with Docker(url=engine.host) as docker:
        yield docker


def busybox() -> Saved:
    """Return Debian's busybox for this machine's architecture."""
    image = demo_image(CACHE)
    content = {blob.digest: blob for blob in image.blobs}
    layers = [content[layer["digest"]] for layer in image.children[0].document["layers"][:2]]
    return Saved(layers=[gzip.decompress(b"".join(blob.read())) for blob in layers])


async def build(engine: DockerEngine, name: str, tag: str, script: str) -> Facts:
    """Load busybox, and commit a container that ran the script: an image of three layers that prints /etc/motd."""
    async with client(engine) as docker:
        await load(docker, busybox(), *BASE.split(":"))
        container = await docker.containers.create(_configuration(BASE, ["/bin/sh", "-c", script]))
        await container.start()
        assert (await container.wait())["StatusCode"] == 0
        await container.commit(repository=name, tag=tag, config={"Cmd": ["/bin/cat", "/etc/motd"]})
        await container.delete()
        return await facts(docker, f"{name}:{tag}")


async def load(docker: Docker, image: Saved, name: str, tag: str) -> None:
    """`docker load`, then `docker tag`."""
    await docker.images.import_image(chunks(image.legacy(), PIECE))
    await docker.images.tag(str(image.id), name, tag=tag)


async def run(docker: Docker, name: str) -> str:
    """`docker run --network host --rm`, with the image's own command; return what it prints."""
    container = await docker.containers.create(_configuration(name))
    await container.start()
    try:
        assert (await container.wait(timeout=RUN_SECONDS))["StatusCode"] == 0
        return "".join(await container.log(stdout=True))
    finally:
        await container.delete(force=True)


async def facts(docker: Docker, name: str) -> Facts:
    found = await docker.images.inspect(name)
    return Facts(id=found["Id"], diff_ids=found["RootFS"]["Layers"])


def _configuration(image: str, command: Sequence[str] | None = None) -> dict[str, Any]:
    more = {"Cmd": list(command)} if command else {}
    return {"Image": image, "HostConfig": {"NetworkMode": "host"}, **more}
