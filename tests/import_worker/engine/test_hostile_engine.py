"""An engine, or what answers in its place, never makes a worker fail itself: its answers are read or refused."""

import json
import tarfile
from typing import Any

import pytest

from import_worker.engine.docker_engine import DockerEngine
from import_worker.engine.layer_position import layer_position
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_LAYERS
from tests.import_worker.ends import DictTarget
from tests.import_worker.engine.exports import Saved, TarEngine, archive, layer
from tests.import_worker.engine.test_push import push
from tests.scripted.answer import as_json
from tests.scripted.registry import ScriptedRegistry

IMAGE = Saved(layers=[layer("base"), layer("top")])
DIGEST = str(IMAGE.id)
FOUND = {"Id": DIGEST, "RootFS": {"Layers": [DIGEST]}, "Size": 5, "Os": "linux", "Architecture": "amd64"}
HISTORY = [{"Size": 5}]
NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    ("found", "history"),
    [
        ([], HISTORY),
        ("text", HISTORY),
        ({}, HISTORY),
        (FOUND, [7]),
        (FOUND, [{"Size": "5"}]),
        (FOUND, [{"Size": -5}]),
        (FOUND | {"Size": 10**30}, HISTORY),
        (FOUND | {"Size": 1.5}, HISTORY),
        (FOUND | {"Size": True}, HISTORY),
        (FOUND | {"Id": 7}, HISTORY),
        (FOUND | {"Os": "\0"}, HISTORY),
        (FOUND | {"RootFS": [DIGEST]}, HISTORY),
        (FOUND | {"RootFS": {"Layers": [DIGEST] * (MAX_LAYERS + 1)}}, HISTORY),
        (FOUND | {"RootFS": {"Layers": "\ud800"}}, HISTORY),
    ],
)
async def test_an_answer_that_describes_no_image_is_refused(found: Any, history: Any) -> None:
    async with ScriptedRegistry() as engine:
        engine.on("GET", ".*/version").answer_with(lambda _: as_json({"ApiVersion": "1.41"}))
        engine.on("GET", ".*/json").answer_with(lambda _: as_json(found))
        engine.on("GET", ".*/history").answer_with(lambda _: as_json(history))
        with pytest.raises(LongshoreError) as caught:
            await DockerEngine(f"tcp://{engine.host}").describe("app:1")
    assert caught.value.code is Code.SOURCE_PROTOCOL_ERROR


@pytest.mark.parametrize("body", [NESTED, b"\xff", b"", b"9" * 5_000, b"<html>"])
@pytest.mark.parametrize("path", [".*/version", ".*/json", ".*/history"])
async def test_bytes_that_are_no_json_are_refused(body: bytes, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with ScriptedRegistry() as engine:
        engine.on("GET", path).answer(200, body, headers)
        engine.on("GET", ".*/version").answer_with(lambda _: as_json({"ApiVersion": "1.41"}))
        engine.on("GET", ".*/json").answer_with(lambda _: as_json(FOUND))
        engine.on("GET", ".*/history").answer_with(lambda _: as_json(HISTORY))
        with pytest.raises(LongshoreError) as caught:
            await DockerEngine(f"tcp://{engine.host}").describe("app:1")
    assert caught.value.code in (Code.SOURCE_PROTOCOL_ERROR, Code.DOCKER_ENGINE_UNAVAILABLE)


@pytest.mark.parametrize(
    "document",
    [
        {"id": ["a"]},
        {"id": {}, "parent": "\ud800"},
        {"id": "a", "created": "\ud800"},
        {"id": "a", "parent": [[]]},
    ],
)
def test_a_document_of_any_form_describes_no_layer(document: dict[str, Any]) -> None:
    """An id that is a list ended in an internal error: it cannot be looked up in a set."""
    assert layer_position(json.dumps(document).encode(), [Digest.parse(DIGEST)]) is None


async def test_a_document_with_an_id_that_is_a_list_leaves_the_push_as_it_is() -> None:
    export = archive({"folder/json": b'{"id": ["a"]}'})[:1024] + IMAGE.layout()
    target = DictTarget()
    await push(TarEngine(IMAGE.described, export), target)
    assert len(target.manifests["1"].layers) == len(IMAGE.layers)


async def test_a_record_with_a_length_of_any_size_is_refused() -> None:
    """Python refuses to convert 5,000 digits with an exception of its own."""
    entry = tarfile.TarInfo("pax")
    content = b"9" * 5_000 + b" size=1\n"
    entry.type, entry.size = tarfile.XHDTYPE, len(content)
    export = entry.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512) + IMAGE.layout()
    with pytest.raises(LongshoreError) as caught:
        await push(TarEngine(IMAGE.described, export), DictTarget())
    assert caught.value.code is Code.DOCKER_ENGINE_UNAVAILABLE
