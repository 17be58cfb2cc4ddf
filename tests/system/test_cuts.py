"""Layers whose transfer is interrupted: by cut connections to the source, and by killed workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.go.program import BUILD_SECONDS
from deploy.local.images.image import Image
from deploy.local.stack import Registry, synthetic_image
from tests.faults.fault import Cut, Direction, Fault, Truncate
from tests.faults.link import Link
from tests.faults.uploads import Uploads, uploads_to
from tests.system.conftest import Links, Product, held_transfers, wait_until

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# Bytes. `CUT_LAYER_MIB=1024 pytest -s tests/system/test_cuts.py` shows the figures for a layer of a gigabyte.
LAYER = int(os.environ.get("CUT_LAYER_MIB", "256")) * MIB
# A reset loses what is in the receiver's socket buffer: some megabytes, whatever the size of the layer. The limit is
# one per cent of a layer of a gigabyte. After an orderly end only manifests are read again.
LOST_BY_RESETS = 1024 * MIB // 100
LOST_OTHERWISE = MIB
# The bytes that a kill costs if the registry keeps the session: headers, manifests, requests for the session's state,
# and the piece in transit (import_worker/copying/stream.py, BUFFER_SIZE).
SENT_TWICE = 2 * MIB


@pytest.fixture(scope="module")
def resumable(product: Product, links: Links, distribution_3: Path) -> Iterator[Registry]:
    """A target that keeps upload sessions, and a link to it, both started."""
    assert product.stack.api.alive
    assert links.resumable.program == distribution_3
    with links.resumable as registry, links.to_resumable:
        yield registry


def start(product: Product, link: Link, image: Image) -> tuple[int, str]:
    """Start an import that reads the source through the link; return the image's id and the source's repository."""
    repository = product.push(image)
    return product.start(repository, host=link.host), repository


def uploads(registry: object, image: dict[str, str]) -> Uploads:
    assert isinstance(registry, Registry)
    assert registry.process
    return uploads_to(registry.process.log, image["repo"])


def at(ending: type[Cut] | type[Truncate]) -> list[Fault]:
    """Return faults at 10, 50 and 90 % of the layer: each counts from the byte at which the previous one ended."""
    return [ending(direction=Direction.TO_CLIENT, after=LAYER * share // 100, times=1) for share in (10, 40, 40)]


def printed(what: str, count: int) -> int:
    """Print a figure, which includes headers and manifests, for `pytest -s`; return it."""
    print(f"\n{what}: {count} bytes, {count / LAYER:.3%} of the layer")  # noqa: T201
    return count


def wait_for_third(product: Product, image_id: int, image: Image) -> None:
    """Wait until the target has all small blobs and a third of the large layer, which the link holds at its middle."""
    third = sum(blob.size for blob in image.blobs if blob.size < LAYER) + LAYER // 3
    wait_until(lambda: product.details(image_id)["bytesDone"] >= third, lambda: product.details(image_id))


@pytest.mark.parametrize(("ending", "lost"), [(Cut, LOST_BY_RESETS), (Truncate, LOST_OTHERWISE)])
def test_a_download_that_is_cut_goes_on_in_the_same_upload(
    product: Product, source_link: Link, ending: type[Cut] | type[Truncate], lost: int
) -> None:
    """After cuts at 10, 50 and 90 % of a layer, few bytes are read twice, and the target gets one complete upload."""
    image = synthetic_image(f"cut {ending.__name__}", [LAYER], platforms=("linux/amd64",), index=False)
    before = source_link.counts().to_client
    with product.workers(), source_link.injecting(*at(ending)):
        image_id, repository = start(product, source_link, image)
        found = product.ready(image_id)
        after = source_link.counts()
    assert after.affected == [1, 1, 1]
    assert printed("read twice after three cuts", after.to_client - before - LAYER) <= lost
    product.verify(found, repository)
    seen = uploads(product.stack.target, found)
    assert seen.sessions == len(image.blobs)
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}
    assert product.sql(f"SELECT attempt FROM imports WHERE image_id = {image_id}") == "1"


def test_a_killed_workers_finished_blobs_are_not_sent_again(product: Product, source_link: Link) -> None:
    """The next worker sends only the unfinished blob, from its start: docker-registry 2.8 drops a cut upload."""
    image = synthetic_image("killed", [4 * MIB, 4 * MIB, 4 * MIB, LAYER], platforms=("linux/amd64",), index=False)
    with held_transfers(source_link, LAYER // 2), product.workers() as (worker,):
        image_id, repository = start(product, source_link, image)
        wait_for_third(product, image_id, image)
        worker.kill()
    with product.workers():
        found = product.ready(image_id)
    product.verify(found, repository)
    seen = uploads(product.stack.target, found)
    assert seen.sessions == len(image.blobs) + 1
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}


@pytest.mark.timeout(BUILD_SECONDS)
def test_another_worker_goes_on_with_a_killed_workers_upload(
    product: Product, links: Links, source_link: Link, resumable: Registry
) -> None:
    """If the registry keeps upload sessions, the next worker continues at the offset that the registry has."""
    image = synthetic_image("kept", [4 * MIB, 4 * MIB, 4 * MIB, LAYER], platforms=("linux/amd64",), index=False)
    target = f"http://{links.to_resumable.host}"
    with held_transfers(source_link, LAYER // 2), product.workers(TARGET_URL=target) as (worker,):
        image_id, repository = start(product, source_link, image)
        wait_for_third(product, image_id, image)
        worker.kill()
    with product.workers(TARGET_URL=target):
        found = product.ready(image_id)
    product.verify(found, repository, resumable)
    seen = uploads(resumable, found)
    assert seen.sessions == len(image.blobs)
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}
    distinct = sum(blob.size for blob in image.blobs)
    assert printed("sent twice after a kill", links.to_resumable.counts().to_server - distinct) <= SENT_TWICE
