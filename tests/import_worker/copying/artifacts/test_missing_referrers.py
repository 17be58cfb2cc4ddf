"""Referrers that fail, mislead or never end: which of them are left out, and which fail the attempt."""

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from shared.errors.error import LongshoreError
from shared.model.progress import LayerStatus
from tests.import_worker.copying.artifacts.conftest import Copier
from tests.import_worker.copying.artifacts.content import (
    cosign_signature,
    cosign_tag,
    fallback_tag,
    listed,
    listing_of,
    sbom_of,
    signature_of,
)
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry


async def test_a_referrer_that_misses_a_blob_is_left_out_and_reported(from_api: Copier, image: Image) -> None:
    """Its own referrers are left out too; the image and its other referrers are copied."""
    await from_api.source.push(image)
    bom, blobs = sbom_of(image.root, "broken")
    broken = await from_api.source.attach((bom, blobs))
    await from_api.source.attach(signature_of(broken))
    whole = await from_api.source.attach(sbom_of(image.root, "whole"))
    memory = from_api.source.server
    assert isinstance(memory, MemoryRegistry)
    del memory.repositories[from_api.source.repository].blobs[blobs[1].digest]
    copied = await from_api()
    assert copied.referrers.count == 1
    assert len(copied.referrers.left_out) == 2
    assert broken.digest in copied.referrers.left_out[0]
    assert copied.board.last(blobs[1].digest).status is LayerStatus.FAILED
    assert listed(await from_api.target.serves(fallback_tag(image.root))) == {whole.digest}
    assert await from_api.target.serves("1.0") == image.root


@pytest.mark.parametrize("part", ["/referrers/", "/blobs/", "/manifests/sha256:"])
async def test_what_another_try_may_mend_ends_the_attempt(
    from_api: Copier, image: Image, memory: MemoryRegistry, part: str
) -> None:
    """A transient failure of the source loses no signature: the import is tried again, and no tag was written."""
    await from_api.source.push(image)
    await from_api()
    await from_api.target.delete(image.root)
    bom, blobs = sbom_of(image.root)
    await from_api.source.attach((bom, blobs))
    memory.answers = {
        {"/blobs/": f"/blobs/{blobs[1].digest}", "/manifests/sha256:": f"/manifests/{bom.digest}"}.get(part, part): 503
    }
    with pytest.raises(LongshoreError, match="source_unavailable"):
        await from_api()
    assert await from_api.target.serves("1.0") is None


@pytest.mark.parametrize("status", [400, 403, 405, 501])
async def test_a_registry_that_does_not_know_the_api_is_asked_for_tags(
    from_api: Copier, image: Image, memory: MemoryRegistry, status: int
) -> None:
    """Gateways and old registries refuse the API with different statuses."""
    await from_api.source.push(image)
    sbom = await from_api.source.attach(sbom_of(image.root))
    await from_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    memory.answers = {"/referrers/": status}
    assert (await from_api()).referrers.count == 1


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_tags_that_cannot_be_listed_are_asked_for_one_by_one(
    from_api: Copier, image: Image, memory: MemoryRegistry, status: int
) -> None:
    """Some accounts may pull but not list."""
    await from_api.source.push(image)
    await from_api.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    memory.answers = {"/tags/": status}
    assert (await from_api()).referrers.count == 1


async def test_a_manifest_that_names_another_subject_is_not_believed(from_api: Copier, image: Image) -> None:
    """A source could otherwise attach anything to an image, or make a cycle."""
    await from_api.source.push(image)
    other = synthetic_image("another", [10], platforms=("linux/amd64",), index=False)
    await from_api.source.push(other, "other")
    stray = await from_api.source.attach(sbom_of(other.root))
    memory = from_api.source.server
    assert isinstance(memory, MemoryRegistry)
    memory.api = False
    await from_api.source.attach((listing_of(stray), ()), fallback_tag(image.root))
    copied = await from_api()
    assert copied.referrers.count == 0
    assert "another subject" in copied.referrers.left_out[0]


async def test_tags_that_lead_round_in_a_circle_end(plain: Copier, image: Image) -> None:
    """Cosign's tags can name anything, including the image itself."""
    await plain.source.push(image)
    first = await plain.source.attach(cosign_signature(image.root, "one"), cosign_tag(image.root))
    await plain.source.attach((first, cosign_signature(image.root, "one")[1]), cosign_tag(first))
    await plain.source.push(image, cosign_tag(image.root, "att"))
    assert (await plain()).referrers.count == 2


async def test_chains_and_crowds_are_bounded(from_api: Copier, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note reports how many referrers exceed the limit."""
    monkeypatch.setattr("shared.planning.find_referrers.MAX_REFERRERS", 4)
    await from_api.source.push(image)
    for number in range(6):
        await from_api.source.attach(sbom_of(image.root, f"part {number}"))
    copied = await from_api()
    assert copied.referrers.count == 4
    assert copied.referrers.left_out == ["2 referrers were left out: 4 are brought at most."]


async def test_manifests_of_referrers_are_bounded_together(
    from_api: Copier, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are held in memory until they are put; those beyond the limit are left out, and the image is imported."""
    await from_api.source.push(image)
    boms = [await from_api.source.attach(sbom_of(image.root, f"part {number}")) for number in range(3)]
    monkeypatch.setattr("shared.planning.find_referrers.MAX_MANIFEST_BYTES", sum(len(bom.body) for bom in boms) - 1)
    copied = await from_api()
    assert copied.referrers.count == 2
    assert "more than" in copied.referrers.left_out[0]


async def test_a_list_is_read_to_a_thousand_entries(
    from_api: Copier, image: Image, monkeypatch: pytest.MonkeyPatch, memory: MemoryRegistry
) -> None:
    """A source cannot fill the worker's memory with an endless list."""
    monkeypatch.setattr("shared.registry.repository.MAX_REFERRERS_LISTED", 3)
    memory.page_size = 2
    await from_api.source.push(image)
    for number in range(9):
        await from_api.source.attach(sbom_of(image.root, f"part {number}"))
    assert (await from_api()).referrers.count == 3
    assert len([asked for asked in memory.asked if f"/referrers/{image.digest}" in asked]) == 2


async def test_a_chain_is_followed_three_steps(from_api: Copier, image: Image) -> None:
    """A fourth step has no known use."""
    await from_api.source.push(image)
    subject = image.root
    for _ in range(5):
        subject = await from_api.source.attach(signature_of(subject))
    assert (await from_api()).referrers.count == 3


async def test_a_subset_of_platforms_includes_their_referrers(from_api: Copier, image: Image) -> None:
    """Signatures of the whole index do not fit a part of it, and those of other platforms have no subject."""
    await from_api.source.push(image)
    await from_api.source.attach(signature_of(image.root))
    amd, arm = [await from_api.source.attach(signature_of(child)) for child in image.children]
    copied = await from_api(platforms=("linux/arm64",))
    assert copied.referrers.count == 1
    assert await from_api.target.serves(arm.digest) is not None
    assert await from_api.target.serves(amd.digest) is None
    (reason,) = copied.referrers.left_out
    assert reason.startswith(f"1 referrers of {image.digest} were left out")
