"""The stand-in as a separate process, as in the demo."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.images.image import Image
from deploy.local.servers.harbor.server import Harbor
from deploy.local.servers.harbor.settings import Robot
from deploy.local.stack import LocalStackError, Scratch, synthetic_image
from shared.errors.codes import Side
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from tests.shared.harbor.conftest import Opener

ROBOT = Robot(name="robot$process", secret="secret-of-the-robot")
# The layer is much larger than the memory that the process may use for it. Bytes.
BIG_LAYER = 256 * 1024 * 1024
MEMORY_FOR_IT = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def server(scratch: Scratch) -> Iterator[Harbor]:
    with Harbor(scratch, name="harbor-process", robots=(ROBOT,)) as server:
        yield server


async def test_it_is_a_harbor(server: Harbor, opened: Opener) -> None:
    harbor = await opened(server.host, Credential(server.username, server.password))
    assert (await harbor.health()).healthy
    assert (await harbor.statistics()).complete


def test_what_it_holds_outlives_a_restart(server: Harbor, single: Image) -> None:
    """The restarted process has the same address, too."""
    project = f"p{secrets.token_hex(4)}"
    server.create_project(project)
    server.remote().push(f"{project}/x", "1.0", single)
    server.restart()
    assert server.remote().manifest(f"{project}/x", "1.0").digest == single.digest
    assert server.request("GET", f"/projects/{project}")["repo_count"] == 1


def test_it_is_set_up_in_few_words(server: Harbor, single: Image) -> None:
    project = f"p{secrets.token_hex(4)}"
    server.create_project(project, quota=10)
    with pytest.raises(LocalStackError, match="Quota exceeded"):
        server.remote().push(f"{project}/x", "1.0", single)
    server.set_quota(project, -1)
    server.remote().push(f"{project}/x", "1.0", single)
    server.make_immutable(project, tag="1.*")
    with pytest.raises(LocalStackError, match="configured as immutable"):
        server.remote().push(f"{project}/x", "1.0", single)


async def test_a_layers_size_does_not_show_in_its_memory(server: Harbor) -> None:
    """The process streams uploads and downloads in chunks."""
    project = f"p{secrets.token_hex(4)}"
    await asyncio.to_thread(server.create_project, project)
    image = synthetic_image(project, [BIG_LAYER], platforms=("linux/amd64",), index=False)
    before = memory(server.pid)
    await asyncio.to_thread(server.remote().push, f"{project}/x", "1.0", image)
    blob = image.blobs[0]
    read = await asyncio.to_thread(lambda: sum(len(part) for part in server.remote().blob(f"{project}/x", blob.digest)))
    assert read == blob.size == BIG_LAYER
    assert memory(server.pid) - before < MEMORY_FOR_IT


async def test_the_products_client_logs_in_as_a_robot(server: Harbor) -> None:
    policy = NetworkPolicy.of(plain_http=[server.host], trusted=True)
    async with open_registries(policy, Side.TARGET) as registries:
        await registries.registry(server.host, Credential(ROBOT.name, ROBOT.secret)).ping()


def test_it_ends_when_asked(scratch: Scratch) -> None:
    with Harbor(scratch, name="harbor-brief") as server:
        server.stop()
        assert server.process is not None
        assert server.process.status() == 0
        assert not server.registry.alive


def memory(pid: int) -> int:
    """Return the peak memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024
