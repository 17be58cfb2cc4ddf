"""Compressing and unpacking layers as they pass."""

import gzip
import tracemalloc

import pytest
import zstandard

from import_worker.engine.compression import Compression, Gunzip, LayerPacker, Unzstd
from shared.oci.digest import Digest
from tests.import_worker.engine.exports import in_two_members, layer

CONTENT = layer("content", 300_000)


def pack(content: bytes, wanted: Compression, piece: int = 10_000) -> tuple[LayerPacker, bytes]:
    packer = LayerPacker(content[:piece], wanted)
    sent = [packer.pack(content[start : start + piece]) for start in range(0, len(content), piece)]
    return packer, b"".join([*sent, packer.finish()])


@pytest.mark.parametrize("wanted", Compression)
def test_a_layer_has_both_its_digests(wanted: Compression) -> None:
    """The digest of the tar, which the config lists, and that of the sent bytes."""
    packer, sent = pack(CONTENT, wanted)
    assert packer.diff_id == Digest.of(CONTENT)
    assert packer.digest == Digest.of(sent)
    assert (packer.taken, packer.size) == (len(CONTENT), len(sent))
    assert packer.compression is wanted


@pytest.mark.parametrize("wanted", Compression)
def test_the_same_pieces_give_the_same_blob(wanted: Compression) -> None:
    """The blob does not depend on the time, the machine or the run."""
    assert pack(CONTENT, wanted)[1] == pack(CONTENT, wanted)[1]


@pytest.mark.parametrize("packed", [gzip.compress(CONTENT), in_two_members(CONTENT), zstandard.compress(CONTENT)])
@pytest.mark.parametrize("wanted", Compression)
def test_what_comes_packed_stays_so(packed: bytes, wanted: Compression) -> None:
    """It is unpacked for its diff id alone."""
    packer, sent = pack(packed, wanted, 1_000)
    assert sent == packed
    assert packer.diff_id == Digest.of(CONTENT)


@pytest.mark.parametrize(
    ("broken", "reason"), [(b"\x1f\x8b" + bytes(50), "gzip"), (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "zstd")]
)
def test_broken_bytes_are_reported(broken: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pack(broken, Compression.GZIP)


@pytest.mark.parametrize(
    ("bomb", "unpacker"),
    [(gzip.compress(bytes(300_000_000), 1), Gunzip()), (zstandard.compress(bytes(1_000_000_000)), Unzstd())],
    ids=["gzip", "zstd"],
)
def test_a_bomb_stays_small(bomb: bytes, unpacker: Gunzip | Unzstd) -> None:
    """Half a megabyte of input may expand to gigabytes, of which only a piece is held."""
    tracemalloc.start()
    try:
        sizes = [
            len(piece)
            for start in range(0, len(bomb), 500_000)
            for piece in unpacker.unpack(bomb[start : start + 500_000])
        ]
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(sizes) >= 300_000_000
    assert max(sizes) <= 40_000_000
    assert peak < 100_000_000
