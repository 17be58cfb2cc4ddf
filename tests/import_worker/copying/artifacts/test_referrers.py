"""What refers to an image comes along, whichever of the three ways leads to it, and is found at the target."""

import pytest

from deploy.local.images.image import Image, Manifest, memory_blob
from deploy.local.images.synthetic import synthetic_image
from shared.errors.error import LongshoreError
from shared.model.progress import LayerStatus
from tests.import_worker.copying.artifacts.conftest import Copier
from tests.import_worker.copying.artifacts.content import (
    artifact,
    cosign_signature,
    cosign_tag,
    fallback_tag,
    index_of,
    listing_of,
    sbom_of,
    signature_of,
)
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry


@pytest.fixture
def image() -> Image:
    return synthetic_image("referrers", [5_000, 700], shared=1)


def listed(index: Manifest | None) -> set[str]:
    return {entry["digest"] for entry in index.document["manifests"]} if index else set()


async def test_the_api_leads_to_referrers_of_the_image_and_of_its_platforms(from_api: Copier, image: Image) -> None:
    """A registry without the API lists them under the tag schema's tags, with type and annotations."""
    await from_api.source.push(image)
    sbom = await from_api.source.attach(sbom_of(image.root))
    attached = await from_api.source.attach(signature_of(image.children[1]))
    copied = await from_api()
    assert (copied.referrers.count, copied.referrers.left_out) == (2, [])
    index = await from_api.target.serves(fallback_tag(image.root))
    assert index is not None
    (entry,) = index.document["manifests"]
    assert entry == sbom.descriptor(artifactType="application/spdx+json", annotations={"made.by": "packages"})
    assert listed(await from_api.target.serves(fallback_tag(image.children[1]))) == {attached.digest}
    for manifest in (sbom, attached):
        served = await from_api.target.serves(manifest.digest)
        assert served is not None
        assert served.body == manifest.body


async def test_the_tag_schema_leads_to_referrers_that_an_api_then_lists(
    to_api: Copier, image: Image, memory: MemoryRegistry
) -> None:
    """The target reads each manifest's subject by itself: no tag is written there but the image's."""
    await to_api.source.push(image)
    sbom = await to_api.source.attach(sbom_of(image.root))
    await to_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    copied = await to_api()
    assert copied.referrers.count == 1
    (entry,) = memory.referrers(to_api.target.repository, image.digest)
    assert entry["digest"] == sbom.digest
    assert set(memory.repositories[to_api.target.repository].tags) == {"1.0"}


async def test_cosigns_tags_come_along_as_tags(plain: Copier, image: Image) -> None:
    """Signatures, attestations and SBOMs of the image and of a platform, under the same names, byte for byte."""
    await plain.source.push(image)
    made = {
        cosign_tag(image.root): cosign_signature(image.root, "release"),
        cosign_tag(image.root, "att"): cosign_signature(image.root, "attestation"),
        cosign_tag(image.children[0], "sbom"): artifact(memory_blob("text/spdx", b"sbom")),
    }
    for tag, each in made.items():
        await plain.source.attach(each, tag)
    copied = await plain()
    assert (copied.referrers.count, copied.referrers.left_out) == (3, [])
    for tag, (manifest, _) in made.items():
        served = await plain.target.serves(tag)
        assert served is not None
        assert served.body == manifest.body


@pytest.mark.parametrize("api", [True, False])
async def test_referrers_of_referrers_come_along(
    from_api: Copier, image: Image, memory: MemoryRegistry, api: bool
) -> None:
    """The signature of an SBOM, by its subject and by cosign's tag."""
    memory.api = api
    await from_api.source.push(image)
    sbom = await from_api.source.attach(sbom_of(image.root))
    signature = await from_api.source.attach(signature_of(sbom))
    await from_api.source.attach(cosign_signature(sbom, "release"), cosign_tag(sbom))
    if not api:
        await from_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
        await from_api.source.attach((listing_of(signature), ()), fallback_tag(sbom))
    assert (await from_api()).referrers.count == 3
    assert listed(await from_api.target.serves(fallback_tag(sbom))) == {signature.digest}
    assert await from_api.target.serves(cosign_tag(sbom)) is not None


async def test_a_list_of_several_pages_is_read_to_its_end(
    from_api: Copier, image: Image, memory: MemoryRegistry
) -> None:
    """Also where the tags do not fit on one page, and have to be asked for one by one."""
    memory.page_size = 2
    await from_api.source.push(image)
    boms = [await from_api.source.attach(sbom_of(image.root, f"part {number}")) for number in range(5)]
    for number in range(4):
        await from_api.source.push(image, f"another-{number}")
    await from_api.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    assert (await from_api()).referrers.count == 6
    assert listed(await from_api.target.serves(fallback_tag(image.root))) == {bom.digest for bom in boms}


async def test_a_blob_that_image_and_referrer_share_is_moved_once(
    from_api: Copier, image: Image, memory: MemoryRegistry
) -> None:
    """A referrer may name one of the image's own layers."""
    await from_api.source.push(image)
    shared = image.blobs[0]
    await from_api.source.attach(artifact(shared, subject=image.root, artifactType="application/x-layer"))
    assert (await from_api()).referrers.count == 1
    assert len([asked for asked in memory.asked if asked.startswith("GET") and asked.endswith(shared.digest)]) == 1


async def test_an_index_that_refers_to_an_image_comes_with_its_children(from_api: Copier, image: Image) -> None:
    """Nothing says that a referrer is a single manifest."""
    await from_api.source.push(image)
    child = await from_api.source.attach(artifact(memory_blob("text/plain", b"part"), artifactType="text/plain"))
    index = index_of(
        child.descriptor(), subject=image.root.descriptor(), artifactType="application/x-set", annotations={"a": "b"}
    )
    await from_api.source.attach((index, ()))
    assert (await from_api()).referrers.count == 1
    assert await from_api.target.serves(child.digest) is not None
    assert listed(await from_api.target.serves(fallback_tag(image.root))) == {index.digest}


async def test_the_image_is_there_before_its_signatures_and_its_tag_comes_last(
    to_api: Copier, image: Image, memory: MemoryRegistry
) -> None:
    """Harbor ties cosign's tags to an artifact that it has; whoever pulls by the tag finds the signatures."""
    await to_api.source.push(image)
    sbom = await to_api.source.attach(sbom_of(image.root))
    await to_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    await to_api.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await to_api()
    puts = [asked.rpartition("/")[2] for asked in memory.asked if asked.startswith("PUT") and "/manifests/" in asked]
    assert puts[-4:] == [image.digest, sbom.digest, cosign_tag(image.root), "1.0"]


async def test_an_image_without_referrers_costs_a_look(from_api: Copier, image: Image, memory: MemoryRegistry) -> None:
    """One request for each manifest and one for the tags; without the API two in all."""
    await from_api.source.push(image)
    for api, looks in ((True, 4), (False, 2)):
        memory.api = api
        memory.asked.clear()
        assert (await from_api()).referrers.count == 0
        assert len([asked for asked in memory.asked if "/referrers/" in asked or "/tags/" in asked]) == looks
        assert not [asked for asked in memory.asked if "sha256-" in asked]


async def test_a_second_copy_writes_nothing(plain: Copier, image: Image) -> None:
    """Neither lists nor tags that are as they should be."""
    await plain.source.push(image)
    sbom = await plain.source.attach(sbom_of(image.root))
    await plain.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await plain()
    before = await plain.target.serves(fallback_tag(image.root))
    copied = await plain()
    assert copied.referrers.count == 2
    assert await plain.target.serves(fallback_tag(image.root)) == before


async def test_a_targets_own_referrers_stay_listed(from_api: Copier, image: Image) -> None:
    """What others have attached at the target, and fields of the list that we do not know, are kept."""
    await from_api.source.push(image)
    theirs = await from_api.target.attach(signature_of(image.root, "the target's owner"))
    index = index_of(*listing_of(theirs).document["manifests"], annotations={"kept": "yes"})
    await from_api.target.attach((index, ()), fallback_tag(image.root))
    ours = await from_api.source.attach(sbom_of(image.root))
    await from_api()
    merged = await from_api.target.serves(fallback_tag(image.root))
    assert listed(merged) == {theirs.digest, ours.digest}
    assert merged is not None
    assert merged.document["annotations"] == {"kept": "yes"}


async def test_a_list_with_entries_that_are_gone_is_mended(
    from_api: Copier, image: Image, memory: MemoryRegistry
) -> None:
    """A registry refuses an index of missing manifests: they go, and the others stay."""
    await from_api.source.push(image)
    theirs = await from_api.target.attach(signature_of(image.root, "one"))
    gone = await from_api.target.attach(signature_of(image.root, "two"))
    await from_api.target.attach((listing_of(theirs, gone), ()), fallback_tag(image.root))
    await from_api.target.delete(gone)
    ours = await from_api.source.attach(sbom_of(image.root))
    await from_api()
    assert listed(await from_api.target.serves(fallback_tag(image.root))) == {theirs.digest, ours.digest}


async def test_a_signature_made_at_the_target_is_not_overwritten(plain: Copier, image: Image) -> None:
    """Two signers' layers differ in their annotations alone; the source's signature is left out, and that is told."""
    await plain.source.push(image)
    theirs = await plain.target.attach(cosign_signature(image.root, "the target's owner"), cosign_tag(image.root))
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    copied = await plain()
    assert copied.referrers.count == 0
    (told,) = copied.referrers.left_out
    assert cosign_tag(image.root) in told
    assert "keeps it" in told
    assert await plain.target.serves(cosign_tag(image.root)) == theirs


async def test_a_signature_that_was_added_to_at_the_source_replaces_its_older_self(plain: Copier, image: Image) -> None:
    """Nothing that the target has is lost by that."""
    await plain.source.push(image)
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await plain()
    newer = await plain.source.attach(cosign_signature(image.root, "release", "audit"), cosign_tag(image.root))
    assert (await plain()).referrers.left_out == []
    assert await plain.target.serves(cosign_tag(image.root)) == newer


async def test_a_referrer_that_misses_a_blob_is_left_out_and_told(from_api: Copier, image: Image) -> None:
    """So is what refers to it; the image and its other referrers come."""
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
    """A signature is not lost to a bad moment of the source: the import is tried again, and no tag was written."""
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
    """Gateways and old registries say it in their own ways."""
    await from_api.source.push(image)
    sbom = await from_api.source.attach(sbom_of(image.root))
    await from_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    memory.answers = {"/referrers/": status}
    assert (await from_api()).referrers.count == 1


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_tags_that_cannot_be_listed_are_asked_for_one_by_one(
    from_api: Copier, image: Image, memory: MemoryRegistry, status: int
) -> None:
    """Some accounts may pull and not list."""
    await from_api.source.push(image)
    await from_api.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    memory.answers = {"/tags/": status}
    assert (await from_api()).referrers.count == 1


async def test_a_manifest_that_names_another_subject_is_not_believed(from_api: Copier, image: Image) -> None:
    """A source could otherwise hang anything onto an image, or lead round in a circle."""
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
    """Cosign's tags can name anything, the image itself included."""
    await plain.source.push(image)
    first = await plain.source.attach(cosign_signature(image.root, "one"), cosign_tag(image.root))
    await plain.source.attach((first, cosign_signature(image.root, "one")[1]), cosign_tag(first))
    await plain.source.push(image, cosign_tag(image.root, "att"))
    assert (await plain()).referrers.count == 2


async def test_chains_and_crowds_are_bounded(from_api: Copier, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit on their number is told."""
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
    """They are held in memory until they are put; what does not fit is left out, and the image is imported."""
    await from_api.source.push(image)
    boms = [await from_api.source.attach(sbom_of(image.root, f"part {number}")) for number in range(3)]
    monkeypatch.setattr("shared.planning.find_referrers.MAX_MANIFEST_BYTES", sum(len(bom.body) for bom in boms) - 1)
    copied = await from_api()
    assert copied.referrers.count == 2
    assert "more than" in copied.referrers.left_out[0]


async def test_a_list_is_read_to_a_thousand_entries(
    from_api: Copier, image: Image, monkeypatch: pytest.MonkeyPatch, memory: MemoryRegistry
) -> None:
    """A source cannot fill our memory with a list that does not end."""
    monkeypatch.setattr("shared.registry.repository.MAX_REFERRERS_LISTED", 3)
    memory.page_size = 2
    await from_api.source.push(image)
    for number in range(9):
        await from_api.source.attach(sbom_of(image.root, f"part {number}"))
    assert (await from_api()).referrers.count == 3
    assert len([asked for asked in memory.asked if f"/referrers/{image.digest}" in asked]) == 2


async def test_a_chain_is_followed_three_steps(from_api: Copier, image: Image) -> None:
    """The fourth has no known use."""
    await from_api.source.push(image)
    subject = image.root
    for _ in range(5):
        subject = await from_api.source.attach(signature_of(subject))
    assert (await from_api()).referrers.count == 3


async def test_a_subset_of_platforms_brings_their_own_referrers(from_api: Copier, image: Image) -> None:
    """Signatures of the whole index do not fit a part of it; those of other platforms have nothing to refer to."""
    await from_api.source.push(image)
    await from_api.source.attach(signature_of(image.root))
    amd, arm = [await from_api.source.attach(signature_of(child)) for child in image.children]
    copied = await from_api(platforms=("linux/arm64",))
    assert copied.referrers.count == 1
    assert await from_api.target.serves(arm.digest) is not None
    assert await from_api.target.serves(amd.digest) is None
    (told,) = copied.referrers.left_out
    assert told.startswith(f"1 referrers of {image.digest} were left out")
