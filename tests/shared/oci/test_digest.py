"""Digests are checked when they are parsed, because they become parts of URLs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci.digest import Digest
from tests.shared.oci.strategies import digests

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(digests)
def test_a_digest_comes_back_from_its_text(digest: Digest) -> None:
    """The text of a digest parses to an equal digest."""
    assert Digest.parse(str(digest)) == digest


@given(st.binary(max_size=300))
def test_a_digest_matches_its_own_bytes_and_no_others(content: bytes) -> None:
    """This holds for each algorithm."""
    digest = Digest.of(content)
    assert str(digest) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    long = Digest.parse(f"sha512:{hashlib.sha512(content).hexdigest()}")
    for each in (digest, long):
        assert each.matches(content)
        assert not each.matches(content + b"!")


@given(st.lists(st.binary(max_size=50), max_size=5), st.sampled_from(["sha256", "sha512"]))
def test_a_digest_is_computed_piece_by_piece(pieces: list[bytes], algorithm: str) -> None:
    """A worker computes a layer's digest while it streams the layer."""
    whole = b"".join(pieces)
    hasher = Digest(algorithm, "").hasher()
    for piece in pieces:
        hasher.update(piece)
    assert hasher.hexdigest() == hashlib.new(algorithm, whole).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        "sha256",
        "sha256:",
        "sha256:abc",
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY.upper(),
        EMPTY.replace("e3", "E3", 1),
        EMPTY.replace("e3", "g3", 1),
        f"{EMPTY}\n",
        f" {EMPTY}",
        EMPTY.replace("sha256", "sha512"),
        EMPTY.replace("sha256", "md5"),
        f"sha256:../../{EMPTY[13:]}",
        EMPTY.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    ],
)
def test_anything_else_is_no_digest(text: str) -> None:
    """Upper case, other lengths, other algorithms, other digits (CVE-2024-3727)."""
    with pytest.raises(ValueError, match="not a digest"):
        Digest.parse(text)


@given(st.text())
def test_any_text_is_a_digest_or_a_value_error(text: str) -> None:
    """Untrusted text raises no other exception."""
    try:
        digest = Digest.parse(text)
    except ValueError:
        return
    assert str(digest) == text
