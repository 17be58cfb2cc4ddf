"""A layer between real registries whose way freezes or drips: found in time, and the right side named."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from deploy.local.stack import Registry, Remote, Scratch
from tests.faults.copying import LAYER, MIDDLE, REPOSITORY, Copying, impatient, stalls
from tests.faults.link import Link

# The limit, shortened for the tests, and how much later a stall may be found. Seconds.
LIMIT = 6.0
LATEST = LIMIT * 1.1


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the event loop that the services run on."""
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
def copying(from_source: Link, to_target: Link, repository: str) -> Copying:
    return Copying(from_source, to_target, repository)


@pytest.mark.parametrize("name", stalls(MIDDLE))
async def test_a_stall_is_found(copying: Copying, name: str) -> None:
    """In the middle of the layer, on connections that stay open: within the limit and a tenth of it.

    One that is never silent is found as soon as one that is; but nothing is found before its time.
    """
    side, fault = stalls(MIDDLE)[name]
    with impatient(LIMIT):
        stall = await copying.stall(side, fault)
    assert stall.code == f"{side}_stalled"
    assert stall.seconds < LATEST
    if "drips" not in name:
        assert stall.seconds > LIMIT * 0.9
