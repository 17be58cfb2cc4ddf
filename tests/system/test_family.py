"""Related images, imported at once by several workers: a shared layer is transferred once."""

import pytest

from deploy.local.images.image import Blob, Image, distinct, index_of, platform_manifest
from deploy.local.stack import synthetic_layer
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
PLATFORM = "linux/amd64"


def member(base: Blob, name: str) -> Image:
    """Return an image with the shared layer and its own layer."""
    own = synthetic_layer(f"family/{name}", 2 * MIB)
    manifest, config = platform_manifest(PLATFORM, [base, own], created="2024-01-01T00:00:00Z", config={})
    return Image(root=index_of({PLATFORM: manifest}), children=(manifest,), blobs=distinct([base, own, config]))


@pytest.mark.parametrize("one_repository", [False, True], ids=["many-repositories", "one-repository"])
def test_a_shared_layer_is_uploaded_once(product: Product, *, one_repository: bool) -> None:
    """Six imports by three workers: one upload of the base, and every image is complete."""
    base = synthetic_layer(f"family/base/{one_repository}", 64 * MIB)
    members = [member(base, f"{one_repository}/{n}") for n in range(6)]
    names = ["test/family-one" if one_repository else f"test/family-{n}" for n in range(6)]
    for n, (image, name) in enumerate(zip(members, names, strict=True)):
        product.push(image, name, f"v{n}")
    started = [product.start(name, f"v{n}") for n, name in enumerate(names)]
    with product.workers(3):
        for image_id, name in zip(started, names, strict=True):
            product.verify(product.ready(image_id), name)
    assert product.stack.target.process
    log = product.stack.target.process.log.read_text()
    uploads = [line for line in log.splitlines() if '"PUT ' in line and f"digest={base.digest}" in line]
    assert len(uploads) == 1
