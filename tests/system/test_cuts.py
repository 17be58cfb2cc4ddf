"""Layers whose way to the target is cut: by the source's connection, and by the worker's end."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.go.program import BUILD_SECONDS
from deploy.local.images.image import Image
from deploy.local.stack import Registry, synthetic_image
from tests.faults.fault import Cut, Fault, Pace, Truncate, Way
from tests.faults.link import Link
from tests.system.conftest import PATIENCE, POLL_SECONDS, Product, Ways
from tests.system.uploads import Uploads, uploads_to

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# Bytes; `CUT_LAYER_MIB=1024 pytest -s tests/system/test_cuts.py` shows the figures for a layer of a gigabyte.
LAYER = int(os.environ.get("CUT_LAYER_MIB", "256")) * MIB
# What a reset costs lies in the receiver's socket, up to some megabytes for each, however large the layer is: so this
# is one per cent of a layer of a gigabyte. After an orderly end there is nothing to be read again but manifests.
LOST_BY_RESETS = 1024 * MIB // 100
LOST_OTHERWISE = MIB
# What a kill costs where the session is kept: heads, manifests, reports of a session's state, and the piece that was on
# its way (import_worker/copying/stream.py, BUFFER_SIZE).
SENT_TWICE = 2 * MIB
# Slow enough to kill a worker in the middle of the large layer, fast enough for a test. Bytes a second.
SLOW = 64 * MIB


@pytest.fixture(scope="module")
def source_link(product: Product, ways: Ways) -> Iterator[Link]:
    assert product.stack.source.alive
    with ways.source as link:
        yield link


@pytest.fixture(scope="module")
def keeping(product: Product, ways: Ways, distribution_3: Path) -> Iterator[Registry]:
    """A target that keeps upload sessions, with the link to it open."""
    assert product.stack.api.alive
    assert ways.keeping.program == distribution_3
    with ways.keeping as registry, ways.to_keeping:
        yield registry


def start(product: Product, link: Link, image: Image) -> tuple[int, str]:
    """Start an import whose source is read through the link; return the image's id and the source's repository."""
    repository = product.push(image)
    request = product.request_for(repository) | {"source": f"{link.host}/{repository}:latest"}
    status, answer = product.post(request)
    assert (status, answer["state"]) == (200, 1), answer
    return answer["imageId"], repository


def uploads(registry: object, image: dict[str, str]) -> Uploads:
    assert isinstance(registry, Registry)
    assert registry.process
    return uploads_to(registry.process.log, image["repo"])


def at(ending: type[Cut] | type[Truncate]) -> list[Fault]:
    """Return endings at 10, 50 and 90 % of the layer: each counts from where the connection before it ended."""
    return [ending(way=Way.TO_CLIENT, after=LAYER * share // 100, times=1) for share in (10, 40, 40)]


def told(what: str, count: int) -> int:
    """Show a figure, heads and manifests included, to whoever runs this with -s."""
    print(f"\n{what}: {count} bytes, {count / LAYER:.3%} of the layer")  # noqa: T201
    return count


def wait_for_the_rest(product: Product, image_id: int, image: Image) -> None:
    """Wait until all but the large layer has arrived, and a third of that."""
    small = sum(blob.size for blob in image.blobs if blob.size < LAYER)
    limit = time.monotonic() + PATIENCE
    while (details := product.details(image_id))["bytesDone"] < small + LAYER // 3:
        assert details["status"] == "importing", details
        assert time.monotonic() < limit, details
        time.sleep(POLL_SECONDS)
    assert details["bytesDone"] < small + LAYER, details


@pytest.mark.parametrize(("ending", "lost"), [(Cut, LOST_BY_RESETS), (Truncate, LOST_OTHERWISE)])
def test_a_download_that_is_cut_goes_on_in_the_same_upload(
    product: Product, source_link: Link, ending: type[Cut] | type[Truncate], lost: int
) -> None:
    """At 10, 50 and 90 % of a layer: hardly anything is read twice, and the target sees one whole upload."""
    image = synthetic_image(f"cut {ending.__name__}", [LAYER], platforms=("linux/amd64",), index=False)
    before = source_link.counts().to_client
    with product.workers(), source_link.harmed(*at(ending)):
        image_id, repository = start(product, source_link, image)
        found = product.ready(image_id)
        after = source_link.counts()
    assert after.struck == [1, 1, 1]
    assert told("read twice after three cuts", after.to_client - before - LAYER) <= lost
    product.verify(found, repository)
    seen = uploads(product.stack.target, found)
    assert seen.sessions == len(image.blobs)
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}
    assert product.sql(f"SELECT attempt FROM imports WHERE image_id = {image_id}") == "1"


def test_a_killed_workers_finished_blobs_are_not_sent_again(product: Product, source_link: Link) -> None:
    """Only the one in flight is, from its beginning: docker-registry 2.8 has dropped what it had of it."""
    image = synthetic_image("killed", [4 * MIB, 4 * MIB, 4 * MIB, LAYER], platforms=("linux/amd64",), index=False)
    with source_link.harmed(Pace(way=Way.TO_CLIENT, rate=SLOW)):
        with product.workers() as (worker,):
            image_id, repository = start(product, source_link, image)
            wait_for_the_rest(product, image_id, image)
            worker.kill()
        with product.workers():
            found = product.ready(image_id)
    product.verify(found, repository)
    seen = uploads(product.stack.target, found)
    assert seen.sessions == len(image.blobs) + 1
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}


@pytest.mark.timeout(BUILD_SECONDS)
def test_another_worker_goes_on_with_a_killed_workers_upload(
    product: Product, ways: Ways, source_link: Link, keeping: Registry
) -> None:
    """Where the registry keeps sessions, what it has taken of the layer is not sent again."""
    image = synthetic_image("kept", [4 * MIB, 4 * MIB, 4 * MIB, LAYER], platforms=("linux/amd64",), index=False)
    target = f"http://{ways.to_keeping.host}"
    with source_link.harmed(Pace(way=Way.TO_CLIENT, rate=SLOW)):
        with product.workers(TARGET_URL=target) as (worker,):
            image_id, repository = start(product, source_link, image)
            wait_for_the_rest(product, image_id, image)
            worker.kill()
        with product.workers(TARGET_URL=target):
            found = product.ready(image_id)
    product.verify(found, repository, keeping)
    seen = uploads(keeping, found)
    assert seen.sessions == len(image.blobs)
    assert seen.stored == {blob.digest: 1 for blob in image.blobs}
    distinct = sum(blob.size for blob in image.blobs)
    assert told("sent twice after a kill", ways.to_keeping.counts().to_server - distinct) <= SENT_TWICE
