"""deploy/rabbitmq/definitions.json matches the declarations of the code."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aio_pika
import pytest
from aio_pika.exceptions import ChannelClosed

from deploy import make_secrets
from deploy.local.stack import RabbitMQ
from shared.messages.topology import declare
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
    """Sort unordered parts; leave out the parts that a newer RabbitMQ may add."""
    return {kind: sorted(json.dumps(entry, sort_keys=True) for entry in definitions[kind]) for kind in KINDS}


async def test_declaring_makes_what_the_file_says(
    rabbitmq: RabbitMQ, amqp_url: str, definitions: dict[str, Any]
) -> None:
    """RabbitMQ's export after `declare` has the same exchanges, queues, bindings and arguments."""
    await declare_all(amqp_url)
    exported = json.loads(manage(rabbitmq, "GET", f"definitions/{virtual_host(amqp_url)}"))
    assert comparable(exported) == comparable(definitions)


async def test_declaring_on_top_of_the_file_is_not_refused(
    rabbitmq: RabbitMQ, amqp_url: str, definitions: dict[str, Any]
) -> None:
    """An operator may import the file first: no argument differs, so RabbitMQ does not answer 406."""
    manage(rabbitmq, "POST", f"definitions/{virtual_host(amqp_url)}", definitions)
    await declare_all(amqp_url)


async def test_the_whole_definitions_are_enough_for_the_services(
    rabbitmq: RabbitMQ, amqp_url: str, definitions: dict[str, Any]
) -> None:
    """compose.yaml's RabbitMQ loads them: their user has the rights that the services need, and no others."""
    host = amqp_url.rpartition("/")[2]
    whole = make_secrets.whole(definitions, "secret", user=f"user-{host}", host=host)
    manage(rabbitmq, "POST", "definitions", whole)
    url = f"amqp://user-{host}:secret@127.0.0.1:{rabbitmq.port}/{host}"
    await declare_all(url)
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        exchange = await channel.get_exchange("longshore")
        await exchange.publish(aio_pika.Message(b"1"), "longshore.imports")
        queue = await channel.get_queue("longshore.imports")
        assert (await queue.get(no_ack=True, timeout=5)).body == b"1"
        with pytest.raises(ChannelClosed, match="ACCESS_REFUSED"):
            await channel.declare_queue("others")
    manage(rabbitmq, "DELETE", f"users/user-{host}")
