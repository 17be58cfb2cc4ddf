"""The budget of a plan: what exceeds it is refused with its own words, before more of the image is read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deploy.local.images.image import OCI
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci import document
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.platform import Platform
from shared.planning import budget
from shared.planning.budget import MAX_BLOBS, MAX_MANIFEST_BYTES, PlanLimits
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan

MIB = 1024 * 1024
EMPTY = {"mediaType": OCI.tar, "digest": str(Digest.of(b"")), "size": 0}


class Source:
    """Manifests in memory; `read` are the digests that were asked for."""

    def __init__(self) -> None:
        self.manifests: dict[Digest, Manifest] = {}
        self.read: list[Digest] = []

    def add(self, fields: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        """Store a manifest and return its descriptor."""
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()
        manifest = Manifest.parse(content, media_type)
        self.manifests[manifest.digest] = manifest
        return {"mediaType": media_type, "digest": str(manifest.digest), "size": manifest.size}

    def add_image(self, layers: Sequence[Mapping[str, Any]], **fields: object) -> dict[str, Any]:
        return self.add({"config": EMPTY, "layers": layers, **fields}, OCI.manifest)

    def add_index(self, children: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return self.add({"manifests": children}, OCI.index)

    async def fetch_manifest(self, digest: Digest, limit: int = MAX_MANIFEST_SIZE) -> Manifest:
        self.read.append(digest)
        manifest = self.manifests[digest]
        assert manifest.size <= limit
        return manifest

    def open_blob(self, blob: Descriptor, offset: int = 0) -> Any:
        raise AssertionError(f"{blob.digest} is no config, and is read from {offset}")


def layer(name: str, size: int = 1) -> dict[str, Any]:
    return {"mediaType": OCI.tar, "digest": str(Digest.of(name.encode())), "size": size}


async def plan(
    source: Source, root: Mapping[str, Any], limits: PlanLimits = budget.DEFAULT_LIMITS, platforms: Sequence[str] = ()
) -> ImportPlan:
    return await make_plan(source, Digest.parse(root["digest"]), [Platform.parse(each) for each in platforms], limits)


async def refusal(source: Source, root: Mapping[str, Any], limits: PlanLimits = budget.DEFAULT_LIMITS) -> str:
    with pytest.raises(LongshoreError) as raised:
        await plan(source, root, limits)
    assert raised.value.code == Code.IMAGE_TOO_LARGE
    return raised.value.detail


async def test_children_that_are_too_large_together_are_not_read() -> None:
    """The index states their sizes: 250 manifests of 4 MiB are refused without a request for any."""
    source = Source()
    children = [{**layer(str(number), 4 * MIB), "mediaType": OCI.manifest} for number in range(250)]
    root = source.add_index(children)
    assert f"more than {MAX_MANIFEST_BYTES} bytes" in await refusal(source, root)
    assert source.read == [Digest.parse(root["digest"])]


async def test_nested_children_count_together() -> None:
    """Each of the indexes is within the limit; all of them are not."""
    source = Source()
    padding = "x" * (MAX_MANIFEST_BYTES // 3)
    images = [source.add_image([layer(name)], annotations={"a": padding}) for name in ("one", "two", "three")]
    root = source.add_index([source.add_index([image]) for image in images])
    assert "bytes in all" in await refusal(source, root)


async def test_a_text_that_takes_more_memory_counts_for_it() -> None:
    """One character beyond 16 bits makes each character of a text four bytes in memory."""
    source = Source()
    padding = "x" * (MAX_MANIFEST_BYTES // 3)
    plain = source.add_image([], annotations={"a": padding})
    assert (await plan(source, plain)).manifests
    assert "bytes in all" in await refusal(source, source.add_image([], annotations={"a": f"{padding}\U0001f600"}))


async def test_more_blobs_than_an_import_can_report_are_refused() -> None:
    """Reports of progress have a limit, which an import would meet only when it has copied."""
    source = Source()
    images = [
        source.add_image([layer(f"{image} {number}") for number in range(1000)])
        for image in range(MAX_BLOBS // 1000 + 1)
    ]
    assert f"more than {MAX_BLOBS} different blobs" in await refusal(source, source.add_index(images))


async def test_repeated_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs that many manifests share take memory in each of them."""
    monkeypatch.setattr(budget, "MAX_DESCRIPTORS", 20)
    source = Source()
    images = [source.add_image([layer("shared")] * 8, annotations={"n": name}) for name in "abc"]
    assert "entries" in await refusal(source, source.add_index(images))


async def test_a_layer_of_a_pebibyte_is_refused() -> None:
    """It would be uploaded until the target's disk is full."""
    source = Source()
    detail = await refusal(source, source.add_image([layer("huge", 2**50)]))
    assert f"{2**50} bytes" in detail
    assert "MAX_BLOB_BYTES" in detail


async def test_an_image_that_weighs_too_much_is_refused() -> None:
    """Each blob counts once, however often it is listed; each one alone is within its limit."""
    source = Source()
    limits = PlanLimits(image_bytes=10_000, blob_bytes=4_000)
    fits = source.add_image([layer("a", 3_000)] * 4)
    assert (await plan(source, fits, limits)).size < limits.image_bytes
    assert "MAX_IMAGE_BYTES" in await refusal(source, source.add_image([layer(n, 3_000) for n in "abcd"]), limits)


async def test_a_sum_beyond_64_bits_is_refused_with_its_own_words() -> None:
    """No column and no report can hold it, whatever the operator allows."""
    source = Source()
    root = source.add_image([layer(name, 2**62) for name in "abc"])
    assert "64 bits" in await refusal(source, root, budget.NO_LIMITS)


async def test_platforms_that_are_not_wanted_do_not_count() -> None:
    """Only the chosen part of an image is imported, so only that part has to fit."""
    source = Source()
    small, large = source.add_image([layer("small", 10)]), source.add_image([layer("large", 10_000)])
    root = source.add_index(
        [
            {**small, "platform": {"os": "linux", "architecture": "amd64"}},
            {**large, "platform": {"os": "linux", "architecture": "arm64"}},
        ]
    )
    limits = PlanLimits(image_bytes=5_000, blob_bytes=5_000)
    assert (await plan(source, root, limits, ["linux/amd64"])).size < limits.image_bytes
    assert "MAX_BLOB_BYTES" in await refusal(source, root, limits)
    with pytest.raises(LongshoreError, match="MAX_BLOB_BYTES"):
        await plan(source, root, limits, ["linux/arm64"])


@pytest.mark.parametrize("filler", ["[],", "{},", '{"a":1},', "1,"])
def test_a_document_that_unfolds_in_memory_is_not_parsed(filler: str) -> None:
    """Four million bytes of empty lists take a hundred million in memory; they are counted first."""
    text = '{"schemaVersion": 2, "x": [' + filler * document.MAX_VALUES + "1]}"
    with pytest.raises(ValueError, match="more than"):
        Manifest.parse(text.encode(), OCI.manifest)
