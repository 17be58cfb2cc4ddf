"""Fixtures for the tests that use scripted servers; the conftest.py of each such folder imports them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import stamina
import uvloop

from deploy.local.stack import Registry as RegistryServer
from deploy.local.stack import Scratch, Tls
from import_worker.copying import stream
from shared.errors.codes import Side
from shared.http_client.retry import ATTEMPTS
from shared.network.policy import NetworkPolicy
from shared.registry.client import Registries, open_registries
from shared.runtime.backoff import Backoff
from tests.scripted.hostile import HostileRegistry
from tests.shared.certificates import Authority


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the services' event loop, which handles connections, TLS and their errors itself."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Retries as in production, without the pauses between them."""
    stamina.set_testing(True, attempts=ATTEMPTS, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def real_waits(no_waits: None) -> None:
    """The pauses of production, too."""
    stamina.set_testing(False)


@pytest.fixture
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to copy a blob as in production, with shorter pauses between them."""
    monkeypatch.setattr(stream, "BLOB_RETRY", Backoff(first=0.01, maximum=0.1))


@pytest.fixture
async def hostile() -> AsyncIterator[HostileRegistry]:
    async with HostileRegistry() as server:
        yield server


@pytest.fixture
async def other() -> AsyncIterator[HostileRegistry]:
    """A second scripted server: storage, a token service, or a server that must not be called."""
    async with HostileRegistry() as server:
        yield server


@pytest.fixture
async def opened() -> AsyncIterator["Opener"]:
    async with AsyncExitStack() as stack:
        yield Opener(stack)


class Opener:
    """Opens registry clients, which are closed at the end of the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, policy: NetworkPolicy, side: Side = Side.SOURCE) -> Registries:
        return await self._stack.enter_async_context(open_registries(policy, side))

    async def loopback(self, *plain: str, side: Side = Side.SOURCE) -> Registries:
        """Open a client that may call loopback addresses, these hosts over plain http."""
        return await self(NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=plain), side)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_registry(scratch: Scratch, authority: Authority) -> Iterator[RegistryServer]:
    files = authority.server("registry")
    # A new name each time, because each folder that imports this fixture starts its own registry.
    name, tls = f"tls-{secrets.token_hex(4)}", Tls(certificate=files.certificate, key=files.key)
    with RegistryServer(scratch, name=name, tls=tls) as registry:
        yield registry
