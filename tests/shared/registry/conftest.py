"""Registries for the client's tests: scripted ones, one with a token service, one with TLS."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import stamina
import uvloop
from hypothesis import settings

from deploy.local.stack import Registry as RegistryServer
from deploy.local.stack import Scratch, Tls, TokenAuth
from shared.errors.codes import Side
from shared.network.policy import NetworkPolicy
from shared.registry.client import Registries, open_registries
from tests.shared.registry.certificates import Authority
from tests.shared.registry.fixtures import hostile, no_waits, quick_tries
from tests.shared.registry.hostile import HostileRegistry
from tests.shared.registry.issuer import ISSUER, SERVICE, Issuer

# Not its own, but there for the tests of this folder.
__all__ = ("hostile", "no_waits", "quick_tries")

# On a busy machine an example may take long without being wrong.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the event loop that the services run on: connections, TLS and errors are its own work."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def real_waits(no_waits: None) -> None:
    """Pauses as in production, too."""
    stamina.set_testing(False)


@pytest.fixture
async def other() -> AsyncIterator[HostileRegistry]:
    """A second scripted server: storage, a token service, or a trap."""
    async with HostileRegistry() as server:
        yield server


@pytest.fixture
async def opened() -> AsyncIterator["Opener"]:
    async with AsyncExitStack() as stack:
        yield Opener(stack)


class Opener:
    """Opens clients that are closed when the test ends."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, policy: NetworkPolicy, side: Side = Side.SOURCE) -> Registries:
        return await self._stack.enter_async_context(open_registries(policy, side))

    async def loopback(self, *plain: str, side: Side = Side.SOURCE) -> Registries:
        """Open a client that may call loopback, these hosts over plain http."""
        return await self(NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=plain), side)


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def token_registry(
    scratch: Scratch, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistryServer]:
    """docker-registry behind the token service."""
    certificates = issuer.write_certificate(tmp_path_factory.mktemp("issuer") / "issuer.pem")
    certificates.chmod(0o644)
    auth = TokenAuth(realm=issuer.realm, service=SERVICE, issuer=ISSUER, certificates=certificates)
    # Not always the same name: the plugin for event loops may ask for the fixture again when the loop's kind changes.
    with RegistryServer(scratch, name=f"tokens-{secrets.token_hex(4)}", auth=auth) as registry:
        yield registry


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_registry(scratch: Scratch, authority: Authority) -> Iterator[RegistryServer]:
    files = authority.server("registry")
    with RegistryServer(scratch, name="tls", tls=Tls(certificate=files.certificate, key=files.key)) as registry:
        yield registry
