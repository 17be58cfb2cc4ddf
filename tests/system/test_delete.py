"""Deleting, cancelling and retrying with real workers, real registries, and processes that are killed."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.local.servers.harbor.server import Harbor
from deploy.local.stack import LocalStackError, Remote, Scratch, Stack, Worker, synthetic_image
from tests.faults.link import Link
from tests.system.conftest import (
    LEASE_SECONDS,
    POLL_SECONDS,
    Product,
    held_transfers,
    wait_until,
    wait_until_held,
)

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024
# Streamed, because it is larger than a blob that a worker reads as a whole.
LAYER = 8 * MIB
# The quota of a new project of the Harbor.
QUOTA = 4 * MIB


def call(product: Product, method: str, image_id: int, action: str = "", token: str | None = None) -> tuple[int, Any]:
    path = f"/api/v1/images/{image_id}{action}"
    return product.stack.api.request(method, path, token or product.stack.user_token)


def serves(remote: Remote, repository: str, reference: str) -> str | None:
    try:
        return remote.manifest(repository, reference).digest
    except LocalStackError as error:
        if "404" not in str(error):
            raise
        return None


def superseded(worker: Worker) -> bool:
    assert worker.process
    return "import.superseded" in Path(worker.process.log).read_text()


def test_an_imported_image_is_deleted_for_good(product: Product) -> None:
    """The owner deletes it; then its name is free for another import."""
    image = synthetic_image("deleted", [300_000, 400_000])
    repository = product.push(image)
    target = Remote.of(product.stack.target)
    with product.workers():
        shown = product.ready(product.start(repository))
        assert call(product, "DELETE", shown["id"]) == (200, None)
        assert call(product, "DELETE", shown["id"])[0] == 404
        assert serves(target, shown["repo"], shown["imageTag"]) is None
        assert serves(target, shown["repo"], shown["digest"]) is None
        product.verify(product.ready(product.start(repository)), repository)


def test_deleting_an_image_stops_its_import(product: Product, source_link: Link) -> None:
    """The worker stops within a heartbeat, writes no tag, and its slot is free for the next import."""
    image = synthetic_image("stopped", [LAYER, LAYER], platforms=("linux/amd64",))
    repository = product.push(image)
    with product.workers(1, WORKER_SLOTS="1") as (worker,):
        with held_transfers(source_link, LAYER // 2):
            image_id = product.start(repository, host=source_link.host)
            wait_until_held(source_link)
            shown = product.get(f"/images/{image_id}")
            assert call(product, "DELETE", image_id) == (200, None)
            wait_until(lambda: superseded(worker))
        assert serves(Remote.of(product.stack.target), shown["repo"], shown["imageTag"]) is None
        product.verify(product.ready(product.start(repository)), repository)


def test_a_cancelled_import_stops_and_may_be_tried_again(product: Product, source_link: Link) -> None:
    """The retry does not transfer blobs again that the target already has."""
    image = synthetic_image("cancelled", [LAYER, LAYER], platforms=("linux/amd64",))
    repository = product.push(image)
    credentials = product.request_for(repository)["credentials"]
    with product.workers() as (worker,):
        with held_transfers(source_link, LAYER // 2):
            image_id = product.start(repository, host=source_link.host)
            wait_until_held(source_link)
            status, details = call(product, "POST", image_id, "/importing:cancel")
            assert (status, details["state"], details["status"]) == (200, "cancelled", "failed")
            wait_until(lambda: superseded(worker))
        again = product.stack.api.request(
            "POST",
            f"/api/v1/images/{image_id}/importing:retry",
            product.stack.user_token,
            {"credentials": credentials},
        )
        assert (again[0], again[1]["imageId"]) == (200, image_id)
        product.verify(product.ready(image_id), repository)


def test_tags_written_and_deleted_at_once_do_not_harm_each_other(product: Product) -> None:
    """One image has many tags in one repository: half of them are deleted while the others are imported."""
    image = synthetic_image("crowd", [200_000], platforms=("linux/amd64",))
    repository = product.push(image)
    name = "imports/crowd"
    old, new = [f"old-{number}" for number in range(4)], [f"new-{number}" for number in range(4)]
    with product.workers(2, WORKER_SLOTS="4"):
        ids = [product.start(repository, target=f"{name}:{tag}", force=True) for tag in old]
        for image_id in ids:
            product.ready(image_id)

        def delete(image_id: int) -> None:
            while (status := call(product, "DELETE", image_id)[0]) != 200:
                assert status == 409
                time.sleep(POLL_SECONDS)

        with ThreadPoolExecutor(8) as pool:
            deleting = [pool.submit(delete, image_id) for image_id in ids]
            starting = [pool.submit(product.start, repository, target=f"{name}:{tag}", force=True) for tag in new]
            for done in deleting:
                done.result()
            kept = [product.ready(started.result()) for started in starting]
    target = Remote.of(product.stack.target)
    assert [serves(target, name, tag) for tag in old] == 4 * [None]
    assert [serves(target, name, tag) for tag in new] == 4 * [image.digest]
    for shown in kept:
        product.verify(shown, repository)


def test_a_deletion_outlives_the_api_process_that_began_it(product: Product) -> None:
    """The API is killed during the target's response; the next process finds the mark, and finishes the deletion."""
    repository = product.push(synthetic_image("orphan", [100_000]))
    with product.workers():
        shown = product.ready(product.start(repository))
    target, api = product.stack.target, product.stack.api
    assert target.process
    target.process.send(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(call, product, "DELETE", shown["id"])
            marked = f"SELECT deletion_lease_until IS NOT NULL FROM images WHERE id = {shown['id']}"
            wait_until(lambda: product.sql(marked) == "t")
            api.kill()
            with suppress(OSError, ValueError):
                asking.result()
    finally:
        target.thaw()
        api.start()
    assert serves(Remote.of(target), shown["repo"], shown["imageTag"]) == shown["digest"]
    product.sql("UPDATE images SET deletion_lease_until = now() WHERE deletion_lease_until IS NOT NULL")
    wait_until(lambda: call(product, "GET", shown["id"])[0] == 404)
    assert serves(Remote.of(target), shown["repo"], shown["imageTag"]) is None


@pytest.fixture(scope="session")
def own_scratch() -> Iterator[Scratch]:
    """A separate scratch folder: a second stack uses the same server names."""
    with Scratch() as scratch:
        yield scratch


@pytest.fixture(scope="session")
def harbor(own_scratch: Scratch) -> Iterator[Harbor]:
    """A Harbor whose new projects have a quota."""
    with Harbor(own_scratch, quota=QUOTA) as harbor:
        yield harbor


@pytest.fixture(scope="session")
def before_harbor(own_scratch: Scratch, harbor: Harbor) -> Iterator[Product]:
    """The product with Harbor as its target."""
    settings = {
        "LEASE_SECONDS": LEASE_SECONDS,
        "RETRY_BASE_SECONDS": "1",
        "TARGET_KIND": "harbor",
        "TARGET_URL": harbor.url,
        "TARGET_USERNAME": harbor.username,
        "TARGET_PASSWORD": harbor.password,
    }
    with Stack(own_scratch, workers=0, fsync=False, settings=settings) as stack:
        yield Product(stack)


def test_an_import_makes_its_project_and_a_delete_empties_it(before_harbor: Product, harbor: Harbor) -> None:
    """Harbor creates no project on a push; the statistics count the imported image."""
    product = before_harbor
    image = synthetic_image("harbor", [300_000], shared=1)
    repository = product.push(image)
    with product.workers():
        shown = product.ready(product.start(repository))
    assert serves(harbor.remote(), shown["repo"], shown["imageTag"]) == image.digest
    figures = product.get("/harbor/stats")
    assert (figures["totalProjects"], figures["totalImages"], figures["scope"]) == (2, 1, "target")
    assert figures["totalSize"] >= sum(blob.size for blob in image.blobs)
    assert call(product, "DELETE", shown["id"]) == (200, None)
    assert serves(harbor.remote(), shown["repo"], image.digest) is None


def test_an_image_that_does_not_fit_is_not_begun(before_harbor: Product, harbor: Harbor) -> None:
    """The quota is checked before the first byte is transferred; the message contains the figures."""
    product = before_harbor
    image = synthetic_image("large", [3 * MIB, 2 * MIB], platforms=("linux/amd64",))
    repository = product.push(image)
    with product.workers():
        image_id = product.start(repository, target="small/large:1")
        details = product.wait(image_id)
    assert (details["status"], details["error"]["code"]) == ("failed", "target_quota_exceeded")
    assert "Project small may hold 4.0 MiB and holds 0 bytes; 5.0 MiB more do not fit" in details["error"]["detail"]
    assert details["bytesDone"] == 0
    assert harbor.registry.process
    assert '"POST /v2/small/' not in harbor.registry.process.log.read_text()
    with product.workers():
        fitting = product.push(synthetic_image("fitting", [1 * MIB], platforms=("linux/amd64",)))
        product.ready(product.start(fitting, target="small/fitting:1"))
    assert '"POST /v2/small/' in harbor.registry.process.log.read_text()
