"""Stored accounts of source registries in the whole product: they are used, and never visible."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.servers.postgres import binaries
from deploy.local.stack import synthetic_image
from shared.messages.topology import IMPORTS_QUEUE
from tests.conftest import manage
from tests.system.conftest import POLL_SECONDS, TIMEOUT, Product

pytestmark = pytest.mark.xdist_group("system")

PATH = "/api/v1/image-registries"


@pytest.fixture
def stored(product: Product) -> Iterator[Any]:
    """The stack's private source as the default stored registry."""
    source = product.stack.source
    body = {
        "name": "internal",
        "url": source.url,
        "username": source.username,
        "password": source.password,
        "isDefault": True,
        "access": {"subjects": ["everybody"], "repositories": ["**"], "targets": ["**"]},
    }
    api, token = product.stack.api, product.stack.admin_token
    status, made = api.request("POST", PATH, token, body)
    assert status == 201, made
    yield made
    assert api.request("DELETE", f"{PATH}/{made['id']}", token) == (200, None)


def queued(product: Product) -> str:
    """Return the messages in the queue, which stay in it, as RabbitMQ's console shows them."""
    body = {"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}
    return manage(product.stack.rabbitmq, "POST", f"queues/%2F/{IMPORTS_QUEUE}/get", body).decode()


def dumped(product: Product) -> str:
    """Return the whole database as pg_dump writes it."""
    command = [str(binaries() / "pg_dump"), "--inserts", product.stack.api.settings["DATABASE_URL"]]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def wait_for_message(product: Product, name: str) -> str:
    """Wait for the message of this import, and return the queue's messages: the relay publishes after the answer."""
    limit = time.monotonic() + TIMEOUT
    while name not in (messages := queued(product)):
        assert time.monotonic() < limit, messages
        time.sleep(POLL_SECONDS)
    return messages


def test_a_stored_account_reads_the_source_and_is_seen_nowhere(product: Product, stored: Any) -> None:
    """No answer, message or log contains it, and the database only in encrypted form."""
    source = product.stack.source
    password = str(source.password)
    repository = product.push(synthetic_image("stored", [20_000]))
    body = {"source": f"{repository}:latest"}
    plan = product.post({**body, "dryRun": True})
    status, started = product.post(body)
    assert (status, started["state"]) == (200, 1), started
    message = wait_for_message(product, started["name"])
    seen = [message, dumped(product), json.dumps([plan, started, stored, product.get("/image-registries")])]
    assert started["name"] in seen[1]
    with product.workers() as (worker,):
        ready = product.ready(started["imageId"])
        product.verify(ready, repository)
        seen += [json.dumps([ready, product.details(started["imageId"])]), dumped(product)]
        servers = (product.stack.api, worker, product.stack.rabbitmq)
        seen += [server.process.log.read_text() for server in servers if server.process]
    assert len(seen) == 8
    assert ready["source"] == f"{source.host}/{repository}:latest"
    basic = base64.b64encode(f"{source.username}:{password}".encode()).decode()
    for form in (password, basic, password.encode().hex(), base64.b64encode(password.encode()).decode()):
        assert not [text for text in seen if form in text]


def test_a_dry_run_matches_the_work_of_a_worker(product: Product, stored: Any) -> None:
    """The blobs that exist, are mounted and are transferred match the plan."""
    first = product.push(synthetic_image("base", [300_000, 40_000], shared=2))
    with product.workers():
        product.ready(product.start(first))
        second = product.push(synthetic_image("base", [300_000, 40_000, 5_000], shared=2))
        status, answer = product.post({**product.request_for(second), "dryRun": True})
        assert status == 200, answer
        plan = answer["plan"]
        assert (plan["blobs"]["mountable"], plan["fits"]) == (2, None)
        image_id = product.start(second)
        details = product.wait(image_id)
    assert details["status"] == "ready", details
    moved = [layer["transfer"] for layer in details["layersDetail"].values()]
    assert moved.count("mounted") == plan["blobs"]["mountable"]
    assert moved.count("copied") == plan["blobs"]["toMove"]
    assert product.get(f"/images/{image_id}")["size"] == plan["bytesTotal"]
    status, again = product.post({**product.request_for(second), "dryRun": True})
    assert (again["state"], again["plan"]["bytesToMove"]) == (2, 0)
