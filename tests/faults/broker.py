"""What an operator can do to a ground's virtual host in RabbitMQ."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

from shared.messages.topology import EXCHANGE, IMPORTS_QUEUE
from tests.conftest import manage
from tests.faults.bench.ground import Ground

# RabbitMQ lists a connection a moment after it is there. Seconds.
LISTING_SECONDS = 15.0
LOOK_SECONDS = 0.2


class VirtualHost:
    """The one that the ground's services use."""

    def __init__(self, ground: Ground) -> None:
        self.name = ground.amqp_url.rpartition("/")[2]
        self._rabbitmq = ground.rabbitmq

    def limit_queue(self, messages: int) -> None:
        """Let the queue of imports hold so many messages; what is beyond is refused."""
        definition = {"pattern": f"^{IMPORTS_QUEUE}$", "definition": {"max-length": messages}, "apply-to": "queues"}
        manage(self._rabbitmq, "PUT", f"policies/{self.name}/limit", definition)

    def unlimit_queue(self) -> None:
        """Take that back."""
        manage(self._rabbitmq, "DELETE", f"policies/{self.name}/limit")

    def unbind_queue(self) -> None:
        """Let messages for it lead nowhere, until somebody binds it again."""
        key = quote(IMPORTS_QUEUE, safe="")
        manage(self._rabbitmq, "DELETE", f"bindings/{self.name}/e/{EXCHANGE}/q/{IMPORTS_QUEUE}/{key}")

    def delete_queue(self) -> None:
        """Delete the queue of imports, with what is in it and whoever consumes."""
        manage(self._rabbitmq, "DELETE", f"queues/{self.name}/{IMPORTS_QUEUE}")

    def declare_foreign_queue(self) -> None:
        """Make a queue of that name as nobody of ours would: to declare it again is refused."""
        manage(self._rabbitmq, "PUT", f"queues/{self.name}/{IMPORTS_QUEUE}", {"durable": True, "arguments": {}})

    def wait_consumers(self) -> int:
        """Return how many workers the queue has, as soon as RabbitMQ lists one."""
        limit, consumers = time.monotonic() + LISTING_SECONDS, 0
        while not consumers and time.monotonic() < limit:
            queue = json.loads(manage(self._rabbitmq, "GET", f"queues/{self.name}/{IMPORTS_QUEUE}"))
            consumers = int(queue.get("consumers", 0))
            time.sleep(LOOK_SECONDS)
        return consumers

    def close_connections(self, client: str) -> int:
        """Close all connections of clients with this name, as soon as one is listed; return how many."""
        limit = time.monotonic() + LISTING_SECONDS
        while time.monotonic() < limit:
            listed = json.loads(manage(self._rabbitmq, "GET", f"vhosts/{self.name}/connections"))
            ours = [one["name"] for one in listed if one.get("client_properties", {}).get("connection_name") == client]
            for name in ours:
                manage(self._rabbitmq, "DELETE", f"connections/{quote(name, safe='')}")
            if ours:
                return len(ours)
            time.sleep(LOOK_SECONDS)
        return 0
