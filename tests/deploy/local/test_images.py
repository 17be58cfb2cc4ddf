"""The images for tests are valid, and the demo's image runs."""

import gzip
import io
import itertools
import json
import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from deploy.local.images.image import OCI, Blob, Image, sha256
from deploy.local.images.seed import demo_image
from deploy.local.images.synthetic import synthetic_bytes
from deploy.local.paths import CACHE
from deploy.local.stack import synthetic_image, synthetic_layer

# ELF header: e_machine, two bytes little-endian at offset 18 (System V ABI).
MACHINES = {"amd64": 62, "arm64": 183}
MACHINE_OFFSET = 18


@pytest.fixture(scope="module")
def demo() -> Image:
    return demo_image(CACHE)


def content(blob: Blob) -> bytes:
    return b"".join(blob.read())


def layers_of(image: Image, architecture: str) -> list[bytes]:
    """Return the uncompressed layers of one platform, after a check against the configuration."""
    blobs = {blob.digest: blob for blob in image.blobs}
    for child in image.children:
        config = json.loads(content(blobs[child.document["config"]["digest"]]))
        if config["architecture"] == architecture:
            layers = [gzip.decompress(content(blobs[part["digest"]])) for part in child.document["layers"]]
            assert [sha256(layer) for layer in layers] == config["rootfs"]["diff_ids"]
            return layers
    raise AssertionError(architecture)


@pytest.mark.parametrize("size", [0, 1, 511, 1535, 1536, 1537, 4096, 1 << 20, (3 << 20) + 17])
def test_a_layer_has_exactly_the_size_asked_for(size: int) -> None:
    """Its digest matches its bytes at every read."""
    layer = synthetic_layer("harbour", size)
    assert layer.size == size == len(content(layer))
    assert layer.digest == sha256(content(layer)) == sha256(content(layer))


def test_a_layer_is_a_tar_that_does_not_compress() -> None:
    """Tools that open the layer find a file in it."""
    layer = content(synthetic_layer("harbour", 3 << 20))
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        assert [member.size for member in archive] == [(3 << 20) - 1536]
    assert len(gzip.compress(layer[: 1 << 20])) > 0.99 * (1 << 20)


def test_other_seeds_make_other_layers() -> None:
    """Tests can use images that share no blobs."""
    assert len({synthetic_layer(seed, size).digest for seed in "abc" for size in (64, 2048, 1 << 20)}) == 9


def test_an_image_shares_the_given_layers() -> None:
    """Two platforms, three layers of which one is shared: five layers and two configurations."""
    image = synthetic_image("harbour", [4096, 2048, 64], shared=1)
    assert len(image.children) == 2
    assert sorted(blob.size for blob in image.blobs if blob.media_type == OCI.tar) == [64, 64, 2048, 2048, 4096]
    assert image.digest == synthetic_image("harbour", [4096, 2048, 64], shared=1).digest
    listed = [child["platform"]["architecture"] for child in image.root.document["manifests"]]
    assert listed == ["amd64", "arm64"]


def test_a_huge_layer_is_made_as_it_is_read() -> None:
    """Memory does not depend on the size: the first chunks of a terabyte are available at once."""
    first = list(itertools.islice(synthetic_bytes("harbour", 1 << 40), 3))
    assert sum(map(len, first)) == 512 + (2 << 20)
    assert first[1] != first[2]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_demo_image_is_real_for_each_platform(demo: Image, architecture: str) -> None:
    """Its program has the architecture of the index, and a link named sh."""
    with tarfile.open(fileobj=io.BytesIO(layers_of(demo, architecture)[0])) as archive:
        program = archive.extractfile("bin/busybox")
        assert program is not None
        header = program.read(64)
        assert archive.getmember("bin/sh").linkname == "busybox"
    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[MACHINE_OFFSET : MACHINE_OFFSET + 2], "little") == MACHINES[architecture]


def test_the_demo_image_runs(demo: Image, tmp_path: Path) -> None:
    """The shell of the unpacked image runs a script on this machine's architecture."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    for layer in layers_of(demo, here):
        subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=layer, check=True)
    command = [str(tmp_path / "bin/sh"), "-c", f"cat {tmp_path}/etc/motd | wc -l"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1"


def test_the_demo_image_moves_what_is_shared_once(demo: Image) -> None:
    """Four of the six layers in two manifests are distinct, and one is large enough for a progress bar."""
    layers = [blob for blob in demo.blobs if blob.media_type == OCI.gzip]
    assert len(layers) == 4
    assert max(layer.size for layer in layers) > 20_000_000
