"""References between manifests; a list of referrers grows and keeps the entries that other clients wrote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import check_tag
from shared.oci.referrer import (
    companion_tags,
    list_referrers,
    parse_referrers,
    referrers_tag,
    subject_of,
    without_entries,
)
from tests.shared.oci.strategies import json_values

SHA256 = Digest("sha256", "a" * 64)
SHA512 = Digest("sha512", "b" * 128)


def referrer(text: str = "x", **more: Any) -> Manifest:
    config = {"mediaType": "application/x-config", "digest": str(SHA256), "size": 2}
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": [], "x": text}
    return Manifest.parse(json.dumps(document | more).encode(), media_types.OCI_MANIFEST)


def entries(index: Manifest | None) -> list[dict[str, Any]]:
    assert index is not None
    listed: list[dict[str, Any]] = json.loads(index.content)["manifests"]
    return listed


def test_tags_are_the_specifications_and_cosigns() -> None:
    """A longer digest is cut to a tag's length; cosign has no tags for it."""
    assert referrers_tag(SHA256) == f"sha256-{'a' * 64}"
    assert referrers_tag(SHA512) == f"sha512-{'b' * 64}"
    assert companion_tags(SHA256) == tuple(f"sha256-{'a' * 64}.{suffix}" for suffix in ("sig", "att", "sbom"))
    assert companion_tags(SHA512) == ()
    for tag in (referrers_tag(SHA512), *companion_tags(SHA256)):
        assert check_tag(tag) == tag


def test_a_subject_is_read_and_nonsense_is_none() -> None:
    """An odd field does not make an image unreadable."""
    subject = {"mediaType": media_types.OCI_MANIFEST, "digest": str(SHA512), "size": 1}
    assert subject_of(referrer(subject=subject)) == SHA512
    assert subject_of(referrer()) is None


@given(json_values)
def test_any_subject_is_read_or_none(subject: Any) -> None:
    assert subject_of(referrer(subject=subject)) is None or isinstance(subject, dict)


def test_an_entry_says_what_the_specification_asks_for() -> None:
    """Without an artifact type, the entry has the config's media type; empty fields are omitted."""
    plain = referrer("plain")
    typed = referrer("typed", artifactType="application/x-type", annotations={"a": "b"})
    first, second = entries(list_referrers(None, [plain, typed]))
    assert first == {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": str(plain.digest),
        "size": plain.size,
        "artifactType": "application/x-config",
    }
    assert second["artifactType"] == "application/x-type"
    assert second["annotations"] == {"a": "b"}


def test_a_list_that_has_them_all_is_not_written_anew() -> None:
    known = list_referrers(None, [referrer("a"), referrer("b")])
    assert known
    assert list_referrers(known.content, [referrer("b")]) is None
    assert list_referrers(known.content, [referrer("b"), referrer("b")]) is None


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9)))
def test_what_is_listed_stays_listed_and_in_its_order(known: list[int], more: list[int]) -> None:
    """This holds for entries of any origin; each digest is listed once."""
    before = list_referrers(None, [referrer(str(number)) for number in known])
    after = list_referrers(before.content if before else None, [referrer(str(number)) for number in more])
    wanted = [str(referrer(str(number)).digest) for number in dict.fromkeys((*known, *more))]
    assert [entry["digest"] for entry in entries(after or before)] == wanted if wanted else after is None


def test_fields_that_others_wrote_are_kept() -> None:
    """Fields of the list and of its entries are kept, and so are entries of unknown types."""
    odd = {"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "digest": str(SHA512), "size": 3, "x": [1]}
    known = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [odd], "annotations": {"k": "v"}}
    merged = list_referrers(json.dumps(known).encode(), [referrer()])
    assert merged
    assert json.loads(merged.content)["annotations"] == {"k": "v"}
    assert entries(merged)[0] == odd
    assert [entry.digest for entry in parse_referrers(merged.content)] == [SHA512, referrer().digest]
    assert entries(without_entries(merged, [referrer().digest])) == [odd]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"manifests": 1}', b'{"manifests": [1]}', b"[" * 100_000])
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"list|JSON|Expecting"):
        parse_referrers(content)
    if content:
        with pytest.raises(ValueError, match=r"list|JSON|Expecting"):
            list_referrers(content, [referrer()])
