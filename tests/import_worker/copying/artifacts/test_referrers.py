"""Referrers are copied with their image, however they are attached, and are found at the target."""

import pytest

from deploy.local.images.image import Image, memory_blob
from tests.import_worker.copying.artifacts.conftest import Copier
from tests.import_worker.copying.artifacts.content import (
    artifact,
    cosign_signature,
    cosign_tag,
    fallback_tag,
    index_of,
    listed,
    listing_of,
    sbom_of,
    signature_of,
)
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry


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
    """The target reads each manifest's subject itself: the image's tag is the only one written."""
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
    """This also holds if the tags do not fit on one page and are requested one by one."""
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
    """A referrer need not be a single manifest."""
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
    """Harbor ties cosign's tags to an artifact that it holds; a client that pulls the tag finds the signatures."""
    await to_api.source.push(image)
    sbom = await to_api.source.attach(sbom_of(image.root))
    await to_api.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    await to_api.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await to_api()
    puts = [asked.rpartition("/")[2] for asked in memory.asked if asked.startswith("PUT") and "/manifests/" in asked]
    assert puts[-4:] == [image.digest, sbom.digest, cosign_tag(image.root), "1.0"]


async def test_an_image_without_referrers_costs_a_look(from_api: Copier, image: Image, memory: MemoryRegistry) -> None:
    """One request per manifest and one for the tags; without the API, two in all."""
    await from_api.source.push(image)
    for api, looks in ((True, 4), (False, 2)):
        memory.api = api
        memory.asked.clear()
        assert (await from_api()).referrers.count == 0
        assert len([asked for asked in memory.asked if "/referrers/" in asked or "/tags/" in asked]) == looks
        assert not [asked for asked in memory.asked if "sha256-" in asked]


async def test_a_second_copy_writes_nothing(plain: Copier, image: Image) -> None:
    """Lists and tags that are right already are not written."""
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
    """Other clients' attachments at the target, and unknown fields of the list, are kept."""
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
    """A registry refuses an index of missing manifests: their entries are removed, and the others stay."""
    await from_api.source.push(image)
    theirs = await from_api.target.attach(signature_of(image.root, "one"))
    gone = await from_api.target.attach(signature_of(image.root, "two"))
    await from_api.target.attach((listing_of(theirs, gone), ()), fallback_tag(image.root))
    await from_api.target.delete(gone)
    ours = await from_api.source.attach(sbom_of(image.root))
    await from_api()
    assert listed(await from_api.target.serves(fallback_tag(image.root))) == {theirs.digest, ours.digest}


async def test_a_signature_made_at_the_target_is_not_overwritten(plain: Copier, image: Image) -> None:
    """Two signers' layers differ in their annotations alone; the source's signature is left out and reported."""
    await plain.source.push(image)
    theirs = await plain.target.attach(cosign_signature(image.root, "the target's owner"), cosign_tag(image.root))
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    copied = await plain()
    assert copied.referrers.count == 0
    (reason,) = copied.referrers.left_out
    assert cosign_tag(image.root) in reason
    assert "keeps it" in reason
    assert await plain.target.serves(cosign_tag(image.root)) == theirs


async def test_a_signature_that_was_added_to_at_the_source_replaces_its_older_self(plain: Copier, image: Image) -> None:
    """No signature of the target is lost."""
    await plain.source.push(image)
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await plain()
    newer = await plain.source.attach(cosign_signature(image.root, "release", "audit"), cosign_tag(image.root))
    assert (await plain()).referrers.left_out == []
    assert await plain.target.serves(cosign_tag(image.root)) == newer
