"""Images of a Docker Engine, imported by the whole product and pulled by another engine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiodocker import Docker

from deploy.local.processes.scratch import Scratch
from deploy.local.servers.docker_engine import DockerEngine
from deploy.local.stack import Remote
from tests.faults.fault import Direction
from tests.import_worker.engine.real import Facts, build, client, facts, run, started
from tests.system.conftest import Links, Product, held_transfers, wait_until_held
from tests.system.test_workers import MAX_WORKER_MEMORY, MIB

pytestmark = pytest.mark.xdist_group("system")

TEXT = "written in a container, kept in a layer"


@pytest.fixture(scope="module")
def engine(scratch: Scratch) -> Iterator[DockerEngine]:
    with started(scratch, "source-docker") as engine:
        yield engine


@pytest.fixture(scope="module")
def empty_engine(scratch: Scratch) -> Iterator[DockerEngine]:
    """An engine without images."""
    with started(scratch, "other-docker") as engine:
        yield engine


def start(product: Product, name: str) -> int:
    status, answer = product.post({"source": f"docker-daemon:{name}"})
    assert (status, answer["state"]) == (200, 1), answer
    image_id: int = answer["imageId"]
    return image_id


async def pulled(engine: DockerEngine, name: str) -> tuple[Facts, str]:
    """Run `docker pull` and `docker run`; remove the image, so that the next call pulls it again."""
    async with client(engine) as docker:
        await docker.images.pull(from_image=name)
        known = await facts(docker, name)
        printed = await run(docker, name)
        await docker.images.delete(name, force=True)
    return known, printed


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_an_engines_image_runs_elsewhere_as_itself(
    product: Product, engine: DockerEngine, empty_engine: DockerEngine, compression: str
) -> None:
    """An image that one engine built and another pulled has the same id and layers, and runs.

    zstd is left out: Debian's engine is too old to unpack it. The tests of the push cover its content.
    """
    built = asyncio.run(build(engine, f"team/{compression}", "1.0", f"echo '{TEXT}' > /etc/motd"))
    with product.workers(1, DOCKER_HOST=engine.host, WORKER_COMPRESSION=compression):
        image_id = start(product, f"team/{compression}:1.0")
        image = product.ready(image_id)
    assert (image["repo"], image["imageTag"]) == (f"imports/docker-daemon/team/{compression}", "1.0")
    assert (image["os"], image["arch"], image["includeType"]) == ("linux", "amd64", "full")
    name = f"{product.stack.target.host}/{image['repo']}:{image['imageTag']}"
    known, printed = asyncio.run(pulled(empty_engine, name))
    assert known == built
    assert printed.strip() == TEXT
    shown = product.details(image_id)["layersDetail"]
    assert shown.keys() == {*built.diff_ids, built.id}
    assert {layer["progress"] for layer in shown.values()} == {100}
    remote = Remote.of(product.stack.target)
    assert remote.manifest(image["repo"], image["imageTag"]).digest == image["digest"]


def test_an_unknown_image_fails_with_its_name(product: Product, engine: DockerEngine) -> None:
    """The import fails without a retry."""
    with product.workers(1, DOCKER_HOST=engine.host):
        details = product.wait(start(product, "nobody/made:this"))
    assert details["state"] == "failed"
    assert details["error"]["code"] == "source_not_found"
    assert "nobody/made:this" in details["message"]


def test_a_worker_without_an_engine_says_what_is_missing(product: Product) -> None:
    """The hint names the setting."""
    with product.workers(1):
        details = product.wait(start(product, "not/here:1"))
    assert (details["state"], details["error"]["code"]) == ("failed", "docker_source_disabled")
    assert "DOCKER_HOST" in details["error"]["hint"]


def test_a_layers_size_does_not_matter_to_a_workers_memory(product: Product, engine: DockerEngine) -> None:
    """A layer of 512 MiB is streamed and compressed in bounded memory, and its progress is visible."""
    asyncio.run(_make_large(engine))
    with product.workers(1, DOCKER_HOST=engine.host) as (worker,):
        seen: list[Any] = []
        product.wait(start(product, "large:1"), keep=seen)
        status = Path(f"/proc/{worker.pid}/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"peak memory of the worker: {peak / MIB:.0f} MiB")  # noqa: T201 - shown with pytest -s
    assert peak < MAX_WORKER_MEMORY
    assert seen[-1]["status"] == "ready"
    largest = max(seen[-1]["layersDetail"].items(), key=lambda shown: shown[1]["size"])[0]
    moving = [details["layersDetail"][largest]["progress"] for details in seen if details["layersDetail"]]
    assert moving == sorted(moving)
    assert len(set(moving)) > 3


async def _make_large(engine: DockerEngine) -> None:
    """Let a container write incompressible data: the layer is too large for the memory of the test."""
    command = "/bin/busybox dd if=/dev/urandom of=/large bs=1048576 count=512"
    await build(engine, "large", "1", command)


def test_a_cancelled_import_leaves_the_engine_alone(product: Product, engine: DockerEngine, links: Links) -> None:
    """In the middle of a layer: the import ends as cancelled, no tag is written, and the engine still answers."""
    asyncio.run(_make_large(engine))
    with (
        links.target as link,
        held_transfers(link, 64 * MIB, Direction.TO_SERVER),
        product.workers(1, DOCKER_HOST=engine.host, TARGET_URL=f"http://{link.host}"),
    ):
        status, answer = product.post({"source": "docker-daemon:large:1", "target": "imports/large:cancelled"})
        assert status == 200, answer
        wait_until_held(link)
        path = f"/api/v1/images/{answer['imageId']}/importing:cancel"
        assert product.stack.api.request("POST", path, product.stack.user_token)[0] == 200
        assert product.wait(answer["imageId"])["state"] == "cancelled"
        assert asyncio.run(_answers(engine))


async def _answers(engine: DockerEngine) -> bool:
    async with client(engine) as docker:
        return bool(await Docker.version(docker))
