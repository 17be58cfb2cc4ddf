"""deploy/rabbitmq/definitions.json says what the code declares, and the code can live with what it says."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aio_pika
import pytest

from deploy.local.stack import RabbitMQ
from shared.topology import declare
from tests.conftest import manage

DEFINITIONS = Path(__file__).parent.parent.parent / "deploy" / "rabbitmq" / "definitions.json"
KINDS = ("exchanges", "queues", "bindings")


@pytest.fixture
def definitions() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DEFINITIONS.read_text())
    return content


async def declare_all(amqp_url: str) -> None:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await declare(channel)


def virtual_host(amqp_url: str) -> str:
    return quote(amqp_url.rpartition("/")[2], safe="")


def comparable(definitions: dict[str, Any]) -> dict[str, list[str]]:
    """Sort what has no order; leave out what a newer RabbitMQ may add around it."""
    return {kind: sorted(json.dumps(entry, sort_keys=True) for entry in definitions[kind]) for kind in KINDS}


async def test_declaring_makes_what_the_file_says(
    rabbitmq: RabbitMQ, amqp_url: str, definitions: dict[str, Any]
) -> None:
    """RabbitMQ's own export after `declare` holds the same exchanges, queues, bindings and arguments."""
    await declare_all(amqp_url)
    exported = json.loads(manage(rabbitmq, "GET", f"definitions/{virtual_host(amqp_url)}"))
    assert comparable(exported) == comparable(definitions)


async def test_declaring_on_top_of_the_file_is_not_refused(
    rabbitmq: RabbitMQ, amqp_url: str, definitions: dict[str, Any]
) -> None:
    """An operator may import the file first: no argument differs, so RabbitMQ does not answer 406."""
    manage(rabbitmq, "POST", f"definitions/{virtual_host(amqp_url)}", definitions)
    await declare_all(amqp_url)
