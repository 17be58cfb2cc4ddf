"""Manifests are kept byte for byte, read strictly, and trimmed into valid ones."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci import media_types
from shared.oci.descriptor import ATTESTS_DIGEST, MAX_SIZE, Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import (
    MAX_CHILDREN,
    MAX_LAYERS,
    MAX_MANIFEST_SIZE,
    Manifest,
    missing_platforms,
    platforms_of,
    select_platforms,
    trim_index,
)
from shared.oci.platform import Platform
from tests.shared.oci.strategies import json_values, manifest_like, platforms

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def entry(seed: str, media_type: str = media_types.OCI_MANIFEST, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(seed.encode())), "size": len(seed), **more}


def image(**more: Any) -> dict[str, Any]:
    config = entry("config", media_types.OCI_CONFIG)
    return {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": [], **more}


def index(*children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": list(children), **more}


def parse(document: object, media_type: str) -> Manifest:
    return Manifest.parse(json.dumps(document).encode(), media_type)


def on(platform: Platform, seed: str = "") -> dict[str, Any]:
    more = {"variant": platform.variant} if platform.variant else {}
    return entry(seed or str(platform), platform={"os": platform.os, "architecture": platform.architecture, **more})


@pytest.mark.parametrize("spaces", [None, 2, 7])
def test_the_bytes_are_kept_as_they_came(spaces: int | None) -> None:
    """The digest covers all bytes, including white space, field order and unknown fields."""
    content = json.dumps(image(custom={"b": 1, "a": 2}), indent=spaces).encode() + b"\n"
    manifest = Manifest.parse(content, media_types.OCI_MANIFEST)
    assert manifest.content == content
    assert manifest.digest == Digest.of(content)
    assert manifest.size == len(content)


@pytest.mark.parametrize("media_type", sorted(media_types.IMAGE_MANIFESTS))
def test_an_image_manifest_lists_its_blobs_once(media_type: str) -> None:
    """The config comes first; a repeated layer is listed once; no registry has a foreign layer."""
    foreign = entry("foreign", "application/x", urls=["https://elsewhere.example/x"])
    layers = [entry("one", "application/x"), entry("two", "application/x"), entry("one", "application/x"), foreign]
    manifest = parse(image(mediaType=media_type, layers=layers), media_type)
    assert not manifest.is_index
    assert [blob.size for blob in manifest.blobs] == [len("config"), 3, 3]
    assert len(manifest.layers) == 4


@pytest.mark.parametrize("media_type", sorted(media_types.INDEXES))
def test_an_index_lists_its_children(media_type: str) -> None:
    """The children keep their order and their platforms."""
    manifest = parse(index(on(AMD64), on(ARM64), mediaType=media_type), media_type)
    assert manifest.is_index
    assert platforms_of(manifest) == (AMD64, ARM64)
    assert manifest.blobs == ()


def test_the_media_type_may_be_left_to_the_header() -> None:
    """OCI makes the field optional."""
    document = image()
    del document["mediaType"]
    assert parse(document, media_types.OCI_MANIFEST).media_type == media_types.OCI_MANIFEST


@pytest.mark.parametrize(
    ("document", "media_type", "reason"),
    [
        ({"schemaVersion": 1}, media_types.DOCKER_SCHEMA1_SIGNED, "schema 1"),
        ({"schemaVersion": 1}, media_types.DOCKER_MANIFEST, "schema 1"),
        (image(), media_types.OCI_INDEX, "Content-Type"),
        (image(mediaType=media_types.OCI_INDEX), media_types.OCI_MANIFEST, "Content-Type"),
        (image(mediaType="application/json"), "application/json", "not a manifest"),
        (image(manifests=[]), media_types.OCI_MANIFEST, "mixes"),
        (index(layers=[]), media_types.OCI_INDEX, "mixes"),
        (index(config={}), media_types.OCI_INDEX, "mixes"),
        (image(config=None), media_types.OCI_MANIFEST, "not an object"),
        (image(layers=None), media_types.OCI_MANIFEST, "no list of layers"),
        (image(layers={}), media_types.OCI_MANIFEST, "no list of layers"),
        (image(layers=[7]), media_types.OCI_MANIFEST, "not an object"),
        (image(layers=[{}]), media_types.OCI_MANIFEST, "no mediaType"),
        (image(layers=[entry("x", "")]), media_types.OCI_MANIFEST, "no mediaType"),
        (image(layers=[entry("x", "a/b", size=-1)]), media_types.OCI_MANIFEST, "byte count"),
        (image(layers=[entry("x", "a/b", size=1.5)]), media_types.OCI_MANIFEST, "byte count"),
        (image(layers=[entry("x", "a/b", size=True)]), media_types.OCI_MANIFEST, "byte count"),
        (image(layers=[entry("x", "a/b", size="7")]), media_types.OCI_MANIFEST, "byte count"),
        (image(layers=[entry("x", "a/b", size=MAX_SIZE + 1)]), media_types.OCI_MANIFEST, "byte count"),
        (image(layers=[entry("x", "a/b", digest="sha256:x")]), media_types.OCI_MANIFEST, "not a digest"),
        (image(layers=[entry("x", "a/b", digest=None)]), media_types.OCI_MANIFEST, "not a digest"),
        (image(layers=[entry("x", "a/b")] * (MAX_LAYERS + 1)), media_types.OCI_MANIFEST, "limit"),
        (index(manifests=None), media_types.OCI_INDEX, "no list of manifests"),
        (index(entry("x", "application/x")), media_types.OCI_INDEX, "no manifest"),
        (index(entry("x", size=MAX_MANIFEST_SIZE + 1)), media_types.OCI_INDEX, "above"),
        (index(*[entry("x")] * (MAX_CHILDREN + 1)), media_types.OCI_INDEX, "limit"),
        (index(entry("x", platform={"os": "linux"})), media_types.OCI_INDEX, "architecture"),
        ([], media_types.OCI_MANIFEST, "not a JSON object"),
        (None, media_types.OCI_MANIFEST, "not a JSON object"),
    ],
)
def test_what_is_no_sound_manifest_is_refused_with_the_reason(document: object, media_type: str, reason: str) -> None:
    """Ambiguity is an attack (CVE-2021-41190), and limits bound the work."""
    with pytest.raises(ValueError, match=reason):
        parse(document, media_type)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 200_000, b'{"a": ' * 100_000, b"1" * 10_000])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    """This holds for any depth and length."""
    with pytest.raises(ValueError, match="JSON"):
        Manifest.parse(content, media_types.OCI_MANIFEST)


@given(manifest_like, st.sampled_from(sorted(media_types.MANIFESTS)))
def test_any_document_is_a_manifest_or_a_value_error(document: dict[str, Any], media_type: str) -> None:
    """Untrusted JSON must not raise an exception that looks like a fault of Longshore."""
    try:
        manifest = parse(document, media_type)
    except ValueError:
        return
    assert manifest.media_type == media_type


@given(st.binary(max_size=100), st.text(max_size=20))
def test_any_bytes_are_a_manifest_or_a_value_error(content: bytes, media_type: str) -> None:
    """The same holds for bytes that are not JSON."""
    with pytest.raises(ValueError, match=r".+"):
        Manifest.parse(content, media_type)


@given(st.dictionaries(st.sampled_from(["platform", "annotations"]), json_values))
def test_a_descriptors_other_fields_may_hold_anything(more: dict[str, Any]) -> None:
    """A field is checked only where it is used."""
    try:
        Descriptor.from_json(entry("x", **more))
    except ValueError:
        return


@pytest.mark.parametrize("urls", [7, True, 1.5])
def test_urls_that_are_no_list_are_refused(urls: object) -> None:
    """The JSON is untrusted."""
    with pytest.raises(ValueError, match="urls"):
        Descriptor.from_json(entry("x", urls=urls))


def test_an_index_with_half_a_character_is_trimmed() -> None:
    """JSON can contain a lone surrogate as an escape, and the trimmed index can repeat it."""
    whole = parse(index(on(AMD64), on(ARM64), annotations={"a": "\ud800"}), media_types.OCI_INDEX)
    child = parse(image(), media_types.OCI_MANIFEST)
    assert platforms_of(trim_index(whole, {whole.manifests[0].digest: child})) == (AMD64,)


CHILDREN = st.lists(platforms, max_size=6, unique=True)


@given(CHILDREN, st.data())
def test_a_trimmed_index_has_the_chosen_children_in_their_order(children: list[Platform], data: st.DataObject) -> None:
    """All other fields are unchanged; a selection of all children returns the same index."""
    whole = parse(index(*(on(child) for child in children), annotations={"é": "kept"}), media_types.OCI_INDEX)
    keep = data.draw(st.sets(st.sampled_from(whole.manifests))) if whole.manifests else set()
    # Stands for the child that was fetched: a manifest with the digest that the index lists.
    stand_in = parse(image(), media_types.OCI_MANIFEST)
    fetched = {child.digest: replace(stand_in, digest=child.digest, content=b"x" * child.size) for child in keep}
    trimmed = trim_index(whole, fetched)
    assert [child.digest for child in trimmed.manifests] == [c.digest for c in whole.manifests if c in keep]
    assert [child.platform for child in trimmed.manifests] == [c.platform for c in whole.manifests if c in keep]
    assert json.loads(trimmed.content)["annotations"] == {"é": "kept"}
    assert trimmed.digest == Digest.of(trimmed.content)
    if len(keep) == len(whole.manifests):
        assert trimmed == whole


def test_a_trimmed_child_is_listed_as_what_it_is_now() -> None:
    """A nested index that was itself trimmed has another digest and size."""
    inner = parse(index(on(AMD64), on(ARM64)), media_types.OCI_INDEX)
    outer_entry = {"mediaType": media_types.OCI_INDEX, "digest": str(inner.digest), "size": inner.size}
    outer = parse(index(outer_entry), media_types.OCI_INDEX)
    child = replace(parse(image(), media_types.OCI_MANIFEST), digest=inner.manifests[0].digest)
    smaller = trim_index(inner, {child.digest: child})
    trimmed = trim_index(outer, {inner.digest: smaller})
    assert [(entry.digest, entry.size) for entry in trimmed.manifests] == [(smaller.digest, smaller.size)]


def test_attestations_go_with_the_platform_that_they_describe() -> None:
    """BuildKit lists them as unknown/unknown, with the digest that they attest."""
    described = {ATTESTS_DIGEST: str(Digest.of(b"linux/amd64"))}
    unknown = {"os": "unknown", "architecture": "unknown"}
    attestation = entry("attestation", platform=unknown, annotations=described)
    whole = parse(index(on(AMD64), on(ARM64), attestation), media_types.OCI_INDEX)
    assert [child.size for child in select_platforms(whole, [AMD64])] == [len("linux/amd64"), len("attestation")]
    assert [child.size for child in select_platforms(whole, [ARM64])] == [len("linux/arm64")]
    assert platforms_of(whole) == (AMD64, ARM64)


@given(CHILDREN, st.lists(platforms, max_size=3))
def test_a_platform_is_selected_or_missing(children: list[Platform], wanted: list[Platform]) -> None:
    """Each requested platform is either found or reported as missing."""
    whole = parse(index(*(on(child) for child in children)), media_types.OCI_INDEX)
    selected = [child.platform for child in select_platforms(whole, wanted)]
    missing = missing_platforms(children, wanted)
    for wish in wanted:
        met = any(platform is not None and wish.covers(platform) for platform in selected)
        assert met is (wish not in missing)
