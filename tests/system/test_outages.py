"""Servers that stop in the middle of imports, and come back."""

import pytest

from deploy.local.stack import Stack, synthetic_image
from tests.system.conftest import Product

pytestmark = pytest.mark.xdist_group("system")

MIB = 1024 * 1024


def start_one(product: Product, seed: str, layers: list[int]) -> tuple[int, str]:
    """Start an import; return the image's id and the source's repository."""
    repository = product.push(synthetic_image(seed, layers, platforms=("linux/amd64",)))
    return product.start(repository), repository


def wait_until_moving(product: Product, image_id: int) -> None:
    """Wait until the first bytes have arrived."""
    details = product.details(image_id)
    while details["bytesDone"] == 0:
        assert details["status"] == "importing", details
        details = product.details(image_id)


def test_an_import_waits_for_a_worker_and_for_the_broker(product: Product) -> None:
    """Accepted while RabbitMQ is down: published when it is back, and brought to its end."""
    repository = product.push(synthetic_image("patient", [20_000]))
    product.stack.rabbitmq.stop()
    try:
        image_id = product.start(repository)
        assert product.details(image_id)["state"] == "queued"
    finally:
        product.stack.rabbitmq.start()
    with product.workers():
        product.verify(product.ready(image_id), repository)


def test_an_import_outlives_the_api(product: Product) -> None:
    """The API is killed while a layer moves; the worker goes on and tells the outcome to the next one."""
    with product.workers() as (worker,):
        image_id, repository = start_one(product, "outlives", [192 * MIB])
        wait_until_moving(product, image_id)
        product.stack.api.kill()
        product.stack.api.start()
        product.verify(product.ready(image_id), repository)
        assert worker.alive
    assert product.sql(f"SELECT attempt FROM imports WHERE image_id = {image_id}") == "1"


def test_an_import_outlives_the_database(product: Product) -> None:
    """PostgreSQL restarts in the middle; nothing is lost, and reports go through again."""
    with product.workers():
        image_id, repository = start_one(product, "database", [192 * MIB])
        wait_until_moving(product, image_id)
        product.stack.postgres.restart()
        wait_until_answering(product.stack)
        product.verify(product.ready(image_id), repository)


def wait_until_answering(stack: Stack) -> None:
    """Wait until the API has found its database again."""
    while stack.api.request("GET", "/readyz")[0] != 200:
        assert stack.api.alive


def test_a_source_that_is_away_for_a_while_costs_no_import(product: Product) -> None:
    """The attempt fails, the import waits and says until when, and the next attempt brings the image."""
    image_id, repository = start_one(product, "away", [20_000])
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
