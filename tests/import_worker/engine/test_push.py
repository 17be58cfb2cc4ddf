"""The push of an engine's image to a target, on hand-made tar files."""

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard

from import_worker.copying.image import ImageCopy
from import_worker.engine.compression import Compression
from import_worker.engine.source import EngineImage
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from tests.import_worker.ends import Board, DictLedger, DictTarget
from tests.import_worker.engine.exports import AMD, DictStreamTarget, Saved, TarEngine, archive, layer

BASE, MIDDLE, TOP = layer("base"), layer("middle", 700_000), layer("top")
# A layer of the size that engines give to a step without files.
EMPTY = bytes(1024)
LARGE = layer("large", 6_000_000)
IMAGE = Saved(layers=[BASE, MIDDLE, TOP])
FORMS: dict[str, Callable[[Saved], bytes]] = {
    "legacy": Saved.legacy,
    "layout": Saved.layout,
    "backwards": lambda saved: saved.layout(reverse=True),
}


async def allowed() -> None:
    """A fence that permits every write."""


async def push(
    engine: TarEngine, target: DictTarget, compression: Compression = Compression.GZIP, board: Board | None = None
) -> Board:
    """Push and copy an engine's image as a worker does."""
    shown = board or Board()
    stream_target = DictStreamTarget(target.blobs)
    source = EngineImage(engine=engine, name="app:1", target=stream_target, compression=compression)
    pushed = await source.push(await source.describe(None, [AMD]), shown)
    plan = await make_plan(pushed, pushed.manifest.digest, [AMD])
    copying = ImageCopy(plan, pushed, target, ledger=DictLedger(), board=pushed.board(shown), slots=2)
    await copying.run("1", allowed)
    return shown


def unpacked(target: DictTarget) -> list[bytes]:
    """Return the tagged image's layers, unpacked as a client that pulls it does."""
    return [_unpack(target.blobs[str(blob.digest)]) for blob in target.manifests["1"].layers]


def _unpack(blob: bytes) -> bytes:
    if blob.startswith(b"\x1f\x8b"):
        return gzip.decompress(blob)
    return zstandard.ZstdDecompressor().decompressobj().decompress(blob) if blob.startswith(b"\x28\xb5") else blob


def config_of(target: DictTarget) -> bytes:
    config = target.manifests["1"].config
    assert config
    return target.blobs[str(config.digest)]


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("form", FORMS)
async def test_the_image_arrives_with_its_id_and_its_layers(form: str, compression: Compression) -> None:
    """The config and the id are the engine's own, byte for byte; the layers unpack to their diff ids, in order."""
    target = DictTarget()
    await push(TarEngine(IMAGE.described, FORMS[form](IMAGE)), target, compression)
    manifest = target.manifests["1"]
    assert config_of(target) == IMAGE.config
    assert Digest.of(config_of(target)) == IMAGE.id
    assert unpacked(target) == IMAGE.layers
    assert {blob.media_type for blob in manifest.layers} == {compression.media_type}
    assert [blob.size for blob in manifest.layers] == [len(target.blobs[str(blob.digest)]) for blob in manifest.layers]
    assert Manifest.parse(manifest.content, manifest.media_type) == manifest


@pytest.mark.parametrize("form", FORMS)
async def test_the_same_image_gives_the_same_bytes(form: str) -> None:
    """A repeated import finds its blobs, whatever the form and however the bytes arrived."""
    image = Saved(layers=[BASE, LARGE, TOP])
    first, second = DictTarget(), DictTarget()
    await push(TarEngine(image.described, image.layout()), first)
    await push(TarEngine(image.described, FORMS[form](image), chunk=100_000), second)
    assert first.manifests["1"].digest == second.manifests["1"].digest


async def test_gzip_headers_reveal_nothing() -> None:
    """They have no name and no time: both would make the same layer another blob."""
    target = DictTarget()
    await push(TarEngine(IMAGE.described, IMAGE.legacy()), target)
    for blob in target.manifests["1"].layers:
        head = target.blobs[str(blob.digest)][:10]
        assert (head[:4], head[4:8]) == (b"\x1f\x8b\x08\x00", bytes(4))


@pytest.mark.parametrize("links", [True, False])
async def test_layers_that_come_twice_are_pushed_once(links: bool) -> None:
    """Docker writes links, other tools the bytes again; the manifest lists the layer at each of its positions."""
    twice = Saved(layers=[BASE, EMPTY, TOP, EMPTY, BASE])
    target = DictTarget()
    board = await push(TarEngine(twice.described, twice.legacy(links=links)), target)
    assert unpacked(target) == twice.layers
    assert len(target.blobs) == 4
    assert board.last(str(Digest.of(EMPTY))).status is LayerStatus.COMPLETED


@pytest.mark.parametrize("compression", Compression)
async def test_a_layer_without_a_byte_is_a_layer(compression: Compression) -> None:
    """Unusual, but a tar file of no bytes has a digest, and images with it run."""
    image = Saved(layers=[BASE, b""])
    target = DictTarget()
    await push(TarEngine(image.described, image.layout()), target, compression)
    assert unpacked(target) == image.layers


async def test_packed_blobs_stay_as_they_are() -> None:
    """Engines on containerd's image store export the blobs that they pulled: nothing is compressed again."""
    others = [gzip.compress(layer("other platform"))]
    image = Saved(layers=[BASE, MIDDLE, LARGE, TOP])
    image_id, export = image.containerd(others)
    target = DictTarget()
    await push(TarEngine(replace(image.described, id=image_id), export), target)
    assert config_of(target) == image.config
    assert unpacked(target) == image.layers
    kinds = [blob.media_type.rpartition(".")[2] for blob in target.manifests["1"].layers]
    assert kinds == ["tar+gzip", "tar+gzip", "tar+zstd", "tar+gzip"]
    assert f"sha256:{hashlib.sha256(others[0]).hexdigest()}" not in target.blobs


@pytest.mark.parametrize("form", FORMS)
async def test_progress_has_the_diff_ids_and_only_grows(form: str) -> None:
    """Each layer is shown from the start, moves while it is pushed, and ends complete, as does the config."""
    image = Saved(layers=[BASE, LARGE, TOP])
    board = await push(TarEngine(image.described, FORMS[form](image)), DictTarget())
    assert {digest for digest, _ in board.shown} == {str(digest) for digest in (*image.diff_ids, image.id)}
    for diff_id in image.diff_ids:
        shown = [progress for digest, progress in board.shown if digest == str(diff_id)]
        assert shown[0].status is LayerStatus.PENDING
        assert (shown[-1].percent, shown[-1].transfer) == (100, Transfer.COPIED)
        assert _only_grows(shown)
    moving = [layer.offset for digest, layer in board.shown if digest == str(image.diff_ids[1])]
    assert len({offset for offset in moving if 0 < offset < len(LARGE)}) > 5


def _only_grows(shown: list[LayerProgress]) -> bool:
    percents = []
    merged = shown[0]
    for layer_progress in shown:
        merged = merged.merged(layer_progress)
        percents.append(merged.percent)
    return percents == sorted(percents)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
async def test_a_broken_export_is_worth_another_try(part: float) -> None:
    """An export that ends too early publishes nothing, is closed, and fails with an error of the engine."""
    export = IMAGE.layout()
    engine = TarEngine(IMAGE.described, export, cut=int(len(export) * part))
    target = DictTarget()
    with pytest.raises(LongshoreError) as caught:
        await push(engine, target)
    assert (caught.value.code, caught.value.kind.retryable) == ("docker_engine_unavailable", True)
    assert target.manifests == {}
    assert engine.closed == 1


async def test_a_failing_target_ends_the_export() -> None:
    """The engine need not continue to read its disk."""
    engine = TarEngine(IMAGE.described, IMAGE.layout())
    target = DictStreamTarget({}, fail=LongshoreError(Code.TARGET_REFUSED, "over quota"))
    source = EngineImage(engine=engine, name="app:1", target=target, compression=Compression.GZIP)
    board = Board()
    with pytest.raises(LongshoreError, match="over quota"):
        await source.push(IMAGE.described, board)
    assert (engine.closed, target.cancelled) == (1, 1)
    assert LayerStatus.FAILED in {layer.status for _, layer in board.shown}


async def test_a_layer_with_other_bytes_is_never_committed() -> None:
    """Its path promises a digest; a layer with another one does not become a blob."""
    damaged = IMAGE.layout().replace(MIDDLE, MIDDLE[:600_000] + b"!" + MIDDLE[600_001:])
    target = DictTarget()
    with pytest.raises(LongshoreError, match="blob_digest_mismatch"):
        await push(TarEngine(IMAGE.described, damaged), target)
    assert target.manifests == {}
    assert MIDDLE not in [_unpack(blob) for blob in target.blobs.values()]
    assert len(target.blobs) <= 2


async def test_a_broken_gzip_layer_is_named() -> None:
    """An image store's own blob may be damaged on its disk."""
    image = Saved(layers=[LARGE])
    image_id, export = image.containerd()
    start = export.index(b"\x1f\x8b\x08")
    damaged = export[: start + 20] + bytes(3_000) + export[start + 3_020 :]
    with pytest.raises(LongshoreError, match=r"blob_digest_mismatch.*gzip"):
        await push(TarEngine(replace(image.described, id=image_id), damaged), DictTarget())


async def test_a_missing_layer_is_reported() -> None:
    """An engine that lost a layer exports the rest without an error."""
    rest = Saved(layers=[BASE, TOP])
    with pytest.raises(LongshoreError, match=f"blob_not_found.*{Digest.of(MIDDLE)}"):
        await push(TarEngine(IMAGE.described, rest.layout()), DictTarget())


async def test_an_export_of_another_image_is_refused() -> None:
    """Either the image with the looked-up id arrives, or none does."""
    other = replace(IMAGE.described, id=Digest.of(b"another"))
    with pytest.raises(LongshoreError, match=r"source_protocol_error.*not of the image"):
        await push(TarEngine(other, IMAGE.layout()), DictTarget())


async def test_an_export_without_its_list_has_no_config() -> None:
    """Every engine writes manifest.json; an export without it was not made by one."""
    export = IMAGE.layout().replace(b"manifest.json", b"another_.json")
    with pytest.raises(LongshoreError, match="source_protocol_error"):
        await push(TarEngine(IMAGE.described, _resealed(export)), DictTarget())


def _resealed(export: bytes) -> bytes:
    """Correct a header's checksum: 'another_.json' must have the same sum of bytes as 'manifest.json'."""
    difference = sum(b"another_.json") - sum(b"manifest.json")
    at = export.index(b"another_.json")
    old = int(export[at + 148 : at + 154], 8)
    return export[: at + 148] + f"{old + difference:06o}".encode() + export[at + 154 :]


async def test_a_pinned_image_is_asked_for_by_its_id() -> None:
    """The name may point to another image at the second attempt; platforms are checked before a byte is moved."""
    engine = TarEngine(IMAGE.described, IMAGE.layout())
    source = EngineImage(engine=engine, name="app:1", target=DictStreamTarget({}), compression=Compression.GZIP)
    await source.describe(IMAGE.id, [])
    await source.describe(None, [AMD])
    assert engine.asked == [str(IMAGE.id), "app:1"]
    with pytest.raises(LongshoreError, match="platform_not_available"):
        await source.describe(None, [Platform("linux", "arm64")])


async def test_a_layer_that_the_target_lost_fails_the_attempt() -> None:
    """It cannot be read again from an export that has ended; the next attempt makes another export."""
    engine, target = TarEngine(IMAGE.described, IMAGE.layout()), DictTarget()
    source = EngineImage(
        engine=engine, name="app:1", target=DictStreamTarget(target.blobs), compression=Compression.NONE
    )
    pushed = await source.push(IMAGE.described, Board())
    del target.blobs[str(Digest.of(BASE))]
    plan = await make_plan(pushed, pushed.manifest.digest, [])
    with pytest.raises(LongshoreError) as caught:
        await ImageCopy(plan, pushed, target, ledger=DictLedger(), board=Board(), slots=2).run("1", allowed)
    assert (caught.value.code, caught.value.kind.retryable) == ("target_blob_unknown", True)


async def test_documents_are_bounded() -> None:
    """An export of nothing but JSON must not fill the worker's memory."""
    junk = json.dumps(["x" * 4_000_000]).encode()
    image = Saved(layers=[BASE])
    export = image.layout()
    many = b"".join(_entry(f"blobs/sha256/{number}", junk) for number in range(6))
    with pytest.raises(LongshoreError, match="documents"):
        await push(TarEngine(image.described, many + export, chunk=1_000_000), DictTarget())


def _entry(name: str, content: bytes) -> bytes:
    whole = archive({name: content})
    return whole[: 512 + -(-len(content) // 512) * 512]
