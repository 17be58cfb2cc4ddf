"""A real engine, read through aiodocker."""

import pytest

from deploy.local.servers.docker_engine import DockerEngine as EngineServer
from import_worker.engine.docker_engine import DockerEngine
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from tests.import_worker.engine.exports import AMD, Saved, layer
from tests.import_worker.engine.real import client, facts, load

pytestmark = pytest.mark.xdist_group("engine")
IMAGE = Saved(layers=[layer("one", 200_000), layer("two", 3_000_000)])


@pytest.fixture
async def loaded(engine: EngineServer) -> DockerEngine:
    async with client(engine) as docker:
        await load(docker, IMAGE, "described", "1")
    return DockerEngine(engine.host)


async def test_an_image_is_described_as_the_engine_knows_it(engine: EngineServer, loaded: DockerEngine) -> None:
    """The image is found by name and by id; the reported sizes approximate those of the layers."""
    described = await loaded.describe("described:1")
    async with client(engine) as docker:
        known = await facts(docker, "described:1")
    assert (str(described.id), list(map(str, described.diff_ids))) == (known.id, known.diff_ids)
    assert described.id == IMAGE.id
    assert described.platforms == (AMD,)
    assert len(described.sizes) == 2
    assert sum(described.sizes) == pytest.approx(3_200_000, rel=0.05)
    assert await loaded.describe(str(described.id)) == described


async def test_an_unknown_image_is_not_found(loaded: DockerEngine) -> None:
    """The error is permanent: another try would not find it."""
    with pytest.raises(LongshoreError) as caught:
        await loaded.describe("nobody/made:this")
    assert (caught.value.code, caught.value.kind.retryable) == ("source_not_found", False)


async def test_an_image_that_goes_between_look_and_export_is_looked_up_again(loaded: DockerEngine) -> None:
    """The engine answers 500 then; the next attempt finds that the image is gone."""
    with pytest.raises(LongshoreError, match="docker_engine_unavailable"):
        async with loaded.export(Digest.of(b"nothing")):
            pass


async def test_an_engine_that_is_away_is_worth_another_try() -> None:
    """Its socket is missing, or no process listens."""
    for address in ("unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"):
        with pytest.raises(LongshoreError) as caught:
            await DockerEngine(address).describe("app:1")
        assert (caught.value.code, caught.value.kind.retryable) == ("docker_engine_unavailable", True)


async def test_an_export_may_be_left_early(engine: EngineServer, loaded: DockerEngine) -> None:
    """A cancelled import closes the stream; the engine serves other exports."""
    async with loaded.export(IMAGE.id) as chunks:
        assert await anext(chunks)
    async with loaded.export(IMAGE.id) as chunks:
        assert len(b"".join([chunk async for chunk in chunks])) > 3_200_000
