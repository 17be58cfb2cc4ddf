"""Fixtures for every folder whose tests meet scripted registries; its conftest.py imports them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from import_worker.copying import tries
from shared.http_client.retry import ATTEMPTS
from tests.shared.registry.hostile import HostileRegistry


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Retries as in production, without the pauses between them."""
    stamina.set_testing(True, attempts=ATTEMPTS, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries of a blob as in production, with shorter pauses between them."""
    monkeypatch.setattr(tries, "FIRST_DELAY", 0.01)


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with HostileRegistry() as server:
        yield server
