"""Related images, imported at once by several workers: a shared layer is transferred once."""

import re

import pytest

from deploy.local.images.image import Blob, Image, distinct, index_of, platform_manifest
from deploy.local.stack import Server, synthetic_layer
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
PLATFORM = "linux/amd64"


def member(base: Blob, name: str) -> Image:
    """Return an image with the shared layer and its own layer."""
    own = synthetic_layer(f"family/{name}", 2 * MIB)
    manifest, config = platform_manifest(PLATFORM, [base, own], created="2024-01-01T00:00:00Z", config={})
    return Image(root=index_of({PLATFORM: manifest}), children=(manifest,), blobs=distinct([base, own, config]))


def repositories(layout: str) -> list[str]:
    """Return the six repositories of a layout: at the source, and in the target with a host before them."""
    if layout == "one-repository":
        return ["test/family-one"] * 6
    return [f"test/{layout}-{n}" for n in range(6)]


@pytest.mark.parametrize("layout", ["many-repositories", "one-repository", "many-projects"])
def test_a_shared_layer_is_transferred_once(product: Product, layout: str) -> None:
    """Six imports by three workers, with an account: one download and one upload of the base, and complete images.

    In several projects, each import waits and mounts only after the source has confirmed the base to its account.
    """
    base = synthetic_layer(f"family/base/{layout}", 64 * MIB)
    members = [member(base, f"{layout}/{n}") for n in range(6)]
    names = repositories(layout)
    for n, (image, name) in enumerate(zip(members, names, strict=True)):
        product.push(image, name, f"v{n}")
    pushed = len(log_of(product.stack.source))
    targets = [{"target": f"family-{n}/app:v{n}"} if layout == "many-projects" else {} for n in range(6)]
    started = [product.start(name, f"v{n}", **targets[n]) for n, name in enumerate(names)]
    with product.workers(3):
        for image_id, name in zip(started, names, strict=True):
            product.verify(product.ready(image_id), name)
    assert len(requests(product.stack.target, "PUT", f"digest={base.digest}")) == 1
    confirmed = requests(product.stack.source, "HEAD", f"/blobs/{base.digest}", after=pushed)
    assert len(confirmed) == (5 if layout == "many-projects" else 0)


def log_of(registry: Server) -> str:
    assert registry.process
    return registry.process.log.read_text()


def requests(registry: Server, method: str, part: str, *, after: int = 0) -> list[str]:
    """Return the requests of this method whose address has this part and that the registry accepted.

    Those among the log's first `after` characters are left out.
    """
    lines = log_of(registry)[after:].splitlines()
    return [line for line in lines if f'"{method} ' in line and part in line and re.search(r'" 20\d ', line)]
