"""Fixtures for every folder whose tests meet scripted registries; its conftest.py imports them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from import_worker.copying import stream
from shared.http_client.retry import ATTEMPTS
from shared.runtime.backoff import Backoff
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
    monkeypatch.setattr(stream, "BLOB_RETRY", Backoff(first=0.01, maximum=0.1))


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with HostileRegistry() as server:
        yield server
