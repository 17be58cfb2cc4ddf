"""The services of one part of the scenario, which go before those of the next one come."""

from __future__ import annotations

from deploy.local.stack import together
from tests.faults.bench.ground import Ground


def dismiss(ground: Ground) -> None:
    """Stop all services of the ground."""
    together([service.stop for service in (*ground.apis, *ground.workers)])
    ground.apis.clear()
    ground.workers.clear()
