"""Scripted registries, and docker-registry behind a token service, for the tests of the registry client."""

import secrets
from collections.abc import Iterator

import pytest
from hypothesis import settings

from deploy.local.stack import Registry as RegistryServer
from deploy.local.stack import Scratch, TokenAuth
from tests.shared.fixtures import (
    authority,
    hostile,
    no_waits,
    opened,
    other,
    pytest_asyncio_loop_factories,
    quick_tries,
    real_waits,
)
from tests.shared.registry.issuer import ISSUER, SERVICE, Issuer

# Imported for the tests of this folder.
__all__ = (
    "authority",
    "hostile",
    "no_waits",
    "opened",
    "other",
    "pytest_asyncio_loop_factories",
    "quick_tries",
    "real_waits",
)

# On a busy machine, an example may take long without being wrong.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


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
    # A new name each time: the event loop plugin may request the fixture again when the kind of loop changes.
    with RegistryServer(scratch, name=f"tokens-{secrets.token_hex(4)}", auth=auth) as registry:
        yield registry
