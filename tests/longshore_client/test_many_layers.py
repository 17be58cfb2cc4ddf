"""Images with thousands of layers, and users with many streams, in the Python client and the command."""

import asyncio
import json
from contextlib import aclosing

import pytest

from api_service.images import stream_places
from longshore_client import ImportDetails, LongshoreClient
from longshore_client import watch as watch_module
from longshore_client.answers import decode
from longshore_client.import_details import LayersSummary
from tests.api_service.api import Api
from tests.api_service.images.test_many_layers import add_layers, digest
from tests.longshore_client.conftest import Cli
from tests.longshore_client.driven_worker import MEGABYTE, DrivenWorker, arrived, moving

COUNT = 1_000


async def test_all_layers_are_read_page_by_page(api: Api, longshore: LongshoreClient, image_source: str) -> None:
    image_id = (await longshore.import_image(image_source)).image_id
    await add_layers(api, image_id, COUNT)
    details = await longshore.details(image_id)
    assert (len(details.layers), details.layers_summary.total) == (300, COUNT)
    found = [layer async for layer in longshore.layers(image_id)]
    assert [layer.digest for layer in found] == [digest(n) for n in range(COUNT)]
    assert LayersSummary.of(found) == details.layers_summary


async def test_an_older_apis_details_are_counted_by_the_client(
    api: Api, longshore: LongshoreClient, image_source: str, repository: str
) -> None:
    """It sends all layers, and no summary."""
    image_id = (await longshore.import_image(image_source)).image_id
    await (await DrivenWorker(api).claim(repository)).report(a=moving(MEGABYTE, 7), b=arrived(500))
    details = await longshore.details(image_id)
    older = ImportDetails.of({key: value for key, value in details.raw.items() if key != "layersSummary"})
    assert older.layers_summary == details.layers_summary
    assert (older.layers_summary.copied.bytes, older.layers_summary.completed) == (507, 1)
    assert decode(LayersSummary, details.raw["layersSummary"]) == details.layers_summary


async def test_the_command_shows_a_part_and_all_with_an_option(
    api: Api, cli: Cli, longshore: LongshoreClient, image_source: str
) -> None:
    image_id = (await longshore.import_image(image_source)).image_id
    await add_layers(api, image_id, COUNT)
    part = await cli.run("show", image_id)
    assert "300 of 1000 layers, those that move first; --all-layers shows all." in part.err
    every = await cli.run("show", image_id, "--all-layers")
    assert "--all-layers" not in every.err
    assert len(every.out.splitlines()) - len(part.out.splitlines()) == COUNT - 300
    answer = json.loads((await cli.run("show", image_id, "--all-layers", "--json")).out)["importingDetails"]
    assert list(answer["layersDetail"]) == [digest(n) for n in range(COUNT)]
    assert (answer["layersSummary"]["shown"], answer["layersSummary"]["total"]) == (COUNT, COUNT)
    (first, *_) = answer["layersDetail"].values()
    assert first == {"status": "completed", "progress": 100, "size": 100, "offset": 100, "transfer": "copied"}


async def test_a_refused_stream_is_replaced_by_polls(
    api: Api, longshore: LongshoreClient, image_source: str, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user has as many streams as he may; the watch misses nothing."""
    monkeypatch.setattr(watch_module, "POLL_SECONDS", 0.1)
    image_id = (await longshore.import_image(image_source)).image_id
    monkeypatch.setattr(stream_places, "MAX_STREAMS_PER_USER", 0)
    async with aclosing(longshore.watch(image_id)) as updates:
        assert (await anext(updates)).state == "queued"
        worker = await DrivenWorker(api).claim(repository)
        assert (await anext(updates)).state == "running"
        await worker.ready()
        async with asyncio.timeout(60):
            assert [details.state async for details in updates][-1] == "ready"
