"""Another import's transfer of a shared layer is a hint: a slow one delays its own import, and no other."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from deploy.local.images.image import Blob, Image, distinct, index_of, platform_manifest
from deploy.local.stack import Worker, synthetic_layer
from tests.faults.fault import Direction, Pace
from tests.faults.link import Link
from tests.system.conftest import Product, wait_until, wait_until_held

pytestmark = pytest.mark.xdist_group("system")

KIB = 1024
MIB = 1024 * KIB
PLATFORM = "linux/amd64"


def image_over(base: Blob, name: str) -> Image:
    """Return an image with the shared layer and its own configuration."""
    manifest, config = platform_manifest(PLATFORM, [base], created="2024-01-01T00:00:00Z", config={"User": name})
    return Image(root=index_of({PLATFORM: manifest}), children=(manifest,), blobs=distinct([base, config]))


def push_two(product: Product, name: str, size: int = 3 * MIB) -> tuple[str, str]:
    """Push two images with one layer, each into its own repository."""
    base = synthetic_layer(f"slow/{name}", size)
    return product.push(image_over(base, "slow")), product.push(image_over(base, "quick"))


@contextmanager
def paced(link: Link, rate: float, *, times: int | None = None) -> Iterator[None]:
    """Limit connections to this rate, in bytes per second, from the second megabyte on, while the block runs."""
    with link.injecting(Pace(direction=Direction.TO_CLIENT, after=MIB, rate=rate, times=times)):
        yield


def running(product: Product, *image_ids: int) -> bool:
    """Return whether all of these imports run in their first attempt."""
    return all(
        product.sql(f"SELECT state, attempt FROM imports WHERE image_id = {image_id}") == "running|1"
        for image_id in image_ids
    )


def test_a_slow_transfer_from_another_source_is_not_awaited(product: Product, source_link: Link) -> None:
    """The second import reads the layer from its own source, while the first one's source gives 2 KiB a second."""
    first, second = push_two(product, "other-source")
    with product.workers(1), paced(source_link, 2 * KIB):
        slow = product.start(first, host=source_link.host)
        wait_until_held(source_link)
        quick = product.start(second)
        product.verify(product.ready(quick), second)
        assert running(product, slow)


def test_a_slow_transfer_from_the_same_source_is_left(product: Product, source_link: Link) -> None:
    """The second import waits until it knows that the transfer is slow, and then transfers the layer by itself."""
    first, second = push_two(product, "same-source")
    with product.workers(1), paced(source_link, 2 * KIB, times=1):
        slow = product.start(first, host=source_link.host)
        wait_until_held(source_link)
        quick = product.start(second, host=source_link.host)
        product.verify(product.ready(quick), second)
        assert running(product, slow)


@dataclass(frozen=True)
class Waiting:
    """A worker of two slots, with an import that transfers a layer, and one that waits for it without a slot."""

    worker: Worker
    transferring: int
    waiting: int
    repositories: tuple[str, str]


@contextmanager
def one_waits(product: Product, link: Link, name: str) -> Iterator[Waiting]:
    """Let one import wait for another one's transfer: a third import proves that a slot is free.

    The transfer is slow until the block ends, but not slow enough to be left.
    """
    first, second = repositories = push_two(product, name, 8 * MIB)
    other = product.push(image_over(synthetic_layer(f"slow/{name}/other", MIB), "other"))
    with (
        product.workers(1, WORKER_SLOTS="2", STOP_GRACE_SECONDS="0") as (worker,),
        paced(link, 100 * KIB),
    ):
        transferring = product.start(first, host=link.host)
        wait_until_held(link)
        waiting = product.start(second, host=link.host)
        wait_until(lambda: running(product, waiting))
        product.verify(product.ready(product.start(other)), other)
        assert running(product, transferring, waiting)
        yield Waiting(worker, transferring, waiting, repositories)


def test_an_import_that_only_waits_holds_no_slot(product: Product, source_link: Link) -> None:
    """Its lease is renewed all the same, and it takes a slot again: it ends in its first attempt."""
    with one_waits(product, source_link, "slots") as two:
        source_link.set()
        product.verify(product.ready(two.waiting), two.repositories[1])
        product.verify(product.ready(two.transferring), two.repositories[0])
        assert product.sql(f"SELECT attempt FROM imports WHERE image_id = {two.waiting}") == "1"


def test_a_stopping_worker_hands_back_an_import_that_only_waits(product: Product, source_link: Link) -> None:
    """No lease is left, and the next worker completes both."""
    with one_waits(product, source_link, "stopped") as two:
        assert two.worker.process
        two.worker.process.send(signal.SIGTERM)
        assert two.worker.process.wait(20) == 0
        assert product.sql("SELECT count(*) FROM imports WHERE lease_until IS NOT NULL") == "0"
    with product.workers(1):
        for image_id, repository in zip((two.transferring, two.waiting), two.repositories, strict=True):
            product.verify(product.ready(image_id), repository)
