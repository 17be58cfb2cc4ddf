"""Scripted servers and registries for the tests of the HTTP client."""

from hypothesis import settings

from tests.shared.fixtures import (
    authority,
    hostile,
    no_waits,
    opened,
    other,
    pytest_asyncio_loop_factories,
    real_waits,
    tls_registry,
)

# Imported for the tests of this folder.
__all__ = (
    "authority",
    "hostile",
    "no_waits",
    "opened",
    "other",
    "pytest_asyncio_loop_factories",
    "real_waits",
    "tls_registry",
)

# On a busy machine, an example may take long without being wrong.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
