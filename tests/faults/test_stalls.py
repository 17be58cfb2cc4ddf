"""A frozen or dripping transfer between real registries is detected in time, with the right side."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from deploy.local.stack import Registry, Remote, Scratch
from tests.faults.link import Link
from tests.faults.stalled_copy import LAYER, MIDDLE, REPOSITORY, StalledCopy, stall_limit, stalls

# The shortened limit, and the latest time of the detection. Seconds.
LIMIT = 6.0
LATEST = LIMIT * 1.1


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Use the event loop of the services."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def from_source(scratch: Scratch, public_registry: Registry) -> Iterator[Link]:
    Remote.of(public_registry).push_blob(REPOSITORY, LAYER)
    with Link(scratch, public_registry.port, name="stalling-source") as link:
        yield link


@pytest.fixture(scope="module")
def to_target(scratch: Scratch, target_registry: Registry) -> Iterator[Link]:
    with Link(scratch, target_registry.port, name="stalling-target") as link:
        yield link


@pytest.fixture
def copying(from_source: Link, to_target: Link, repository: str) -> StalledCopy:
    return StalledCopy(from_source, to_target, repository)


@pytest.mark.parametrize("name", stalls(MIDDLE))
async def test_a_stall_is_found(copying: StalledCopy, name: str) -> None:
    """A stall in the middle of the layer, on open connections, is detected within the limit and a tenth of it.

    A trickle is detected as soon as silence, and no stall is detected too early.
    """
    side, fault = stalls(MIDDLE)[name]
    with stall_limit(LIMIT):
        stall = await copying.stall(side, fault)
    assert stall.code == f"{side}_stalled"
    assert stall.seconds < LATEST
    if "drips" not in name:
        assert stall.seconds > LIMIT * 0.9
