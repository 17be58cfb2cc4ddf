"""Changes to the testbed's virtual host in RabbitMQ, as an operator can make them."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

from shared.messages.topology import EXCHANGE, IMPORTS_QUEUE
from tests.conftest import manage
from tests.faults.bench.testbed import Testbed

# RabbitMQ lists a connection a moment after it is open. Seconds.
LISTING_SECONDS = 15.0
POLL_SECONDS = 0.2


class VirtualHost:
    """The virtual host of the testbed's services."""

    def __init__(self, testbed: Testbed) -> None:
        self.name = testbed.amqp_url.rpartition("/")[2]
        self._rabbitmq = testbed.rabbitmq

    def limit_queue(self, messages: int) -> None:
        """Limit the queue of imports; RabbitMQ refuses further messages."""
        definition = {"pattern": f"^{IMPORTS_QUEUE}$", "definition": {"max-length": messages}, "apply-to": "queues"}
        manage(self._rabbitmq, "PUT", f"policies/{self.name}/limit", definition)

    def unlimit_queue(self) -> None:
        """Remove the limit."""
        manage(self._rabbitmq, "DELETE", f"policies/{self.name}/limit")

    def unbind_queue(self) -> None:
        """Unbind the queue, so that messages are unroutable until it is bound again."""
        key = quote(IMPORTS_QUEUE, safe="")
        manage(self._rabbitmq, "DELETE", f"bindings/{self.name}/e/{EXCHANGE}/q/{IMPORTS_QUEUE}/{key}")

    def delete_queue(self) -> None:
        """Delete the queue of imports, with its messages and consumers."""
        manage(self._rabbitmq, "DELETE", f"queues/{self.name}/{IMPORTS_QUEUE}")

    def declare_foreign_queue(self) -> None:
        """Declare a queue of that name with other arguments, so that Longshore's declaration is refused."""
        manage(self._rabbitmq, "PUT", f"queues/{self.name}/{IMPORTS_QUEUE}", {"durable": True, "arguments": {}})

    def wait_consumers(self) -> int:
        """Wait until RabbitMQ lists a consumer of the queue, and return their number."""
        limit, consumers = time.monotonic() + LISTING_SECONDS, 0
        while not consumers and time.monotonic() < limit:
            queue = json.loads(manage(self._rabbitmq, "GET", f"queues/{self.name}/{IMPORTS_QUEUE}"))
            consumers = int(queue.get("consumers", 0))
            time.sleep(POLL_SECONDS)
        return consumers

    def close_connections(self, client: str) -> int:
        """Wait until a connection with this client name is listed, close all of them, and return their number."""
        limit = time.monotonic() + LISTING_SECONDS
        while time.monotonic() < limit:
            listed = json.loads(manage(self._rabbitmq, "GET", f"vhosts/{self.name}/connections"))
            ours = [one["name"] for one in listed if one.get("client_properties", {}).get("connection_name") == client]
            for name in ours:
                manage(self._rabbitmq, "DELETE", f"connections/{quote(name, safe='')}")
            if ours:
                return len(ours)
            time.sleep(POLL_SECONDS)
        return 0
