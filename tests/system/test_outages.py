"""Servers that stop in the middle of imports and start again."""

import pytest

from deploy.local.stack import synthetic_image
from tests.faults.link import Link
from tests.system.conftest import Product, held_transfers, wait_until, wait_until_held

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024


LAYER = 16 * MIB


def start_one(product: Product, seed: str, layer: int, link: Link | None = None) -> tuple[int, str]:
    """Start an import; return the image's id and the source's repository."""
    repository = product.push(synthetic_image(seed, [layer], platforms=("linux/amd64",)))
    return product.start(repository, host=link.host if link else None), repository


def test_an_import_waits_for_a_worker_and_for_the_broker(product: Product) -> None:
    """An import that the API accepts while RabbitMQ is down is published, and carried out, after RabbitMQ's start."""
    repository = product.push(synthetic_image("patient", [20_000]))
    product.stack.rabbitmq.stop()
    try:
        image_id = product.start(repository)
        assert product.details(image_id)["state"] == "queued"
    finally:
        product.stack.rabbitmq.start()
    with product.workers():
        product.verify(product.ready(image_id), repository)


def test_an_import_outlives_the_api(product: Product, source_link: Link) -> None:
    """The API is killed during a transfer; the worker continues and reports the outcome to the next API process."""
    with product.workers() as (worker,):
        with held_transfers(source_link, LAYER // 2):
            image_id, repository = start_one(product, "outlives", LAYER, source_link)
            wait_until_held(source_link)
            product.stack.api.kill()
            product.stack.api.start()
        product.verify(product.ready(image_id), repository)
        assert worker.alive
    assert product.sql(f"SELECT attempt FROM imports WHERE image_id = {image_id}") == "1"


def test_an_import_outlives_the_database(product: Product, source_link: Link) -> None:
    """PostgreSQL restarts during a transfer; the import is not lost, and later reports succeed."""
    with product.workers():
        with held_transfers(source_link, LAYER // 2):
            image_id, repository = start_one(product, "database", LAYER, source_link)
            wait_until_held(source_link)
            product.stack.postgres.restart()
            wait_until(lambda: product.stack.api.request("GET", "/readyz")[0] == 200)
        product.verify(product.ready(image_id), repository)


def test_a_source_that_is_away_for_a_while_costs_no_import(product: Product) -> None:
    """The attempt fails, the import waits and reports until when, and the next attempt succeeds."""
    image_id, repository = start_one(product, "away", 20_000)
    product.stack.source.stop()
    try:
        with product.workers():
            details = product.wait(image_id, states={"waiting"})
        assert details["error"]["code"] == "source_unreachable"
        assert details["resumesAt"]
        assert "failed" not in {layer["status"] for layer in details["layersDetail"].values()}
    finally:
        product.stack.source.start()
    with product.workers():
        product.verify(product.ready(image_id), repository)
