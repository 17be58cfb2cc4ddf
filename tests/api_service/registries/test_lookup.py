"""The cached list of stored registries: its content and its age."""

import pytest
from cryptography.fernet import Fernet

from api_service.auth.identity import Identity
from api_service.registries.lookup import RegistryLookup
from api_service.registries.request import NewRegistry
from api_service.registries.stored_registries import StoredRegistries
from shared.db import cached_rows
from shared.db.database import Database
from shared.model.roles import Role
from shared.network.policy import NetworkPolicy
from shared.runtime.secret_box import SecretBox

ADMIN = Identity(user="ada", role=Role.ADMIN)


@pytest.fixture
def own(database: Database) -> RegistryLookup:
    return RegistryLookup(database)


@pytest.fixture
def stored(database: Database, own: RegistryLookup) -> StoredRegistries:
    return StoredRegistries(
        database=database, lookup=own, secrets=SecretBox([Fernet.generate_key().decode()]), policy=NetworkPolicy.of()
    )


async def store(stored: StoredRegistries, name: str) -> int:
    wanted = NewRegistry(name=name, url=f"{name}.example.com", account=None, is_default=False)
    return (await stored.create(wanted, ADMIN)).stored.id


async def test_an_instance_knows_its_own_changes_at_once(stored: StoredRegistries, own: RegistryLookup) -> None:
    """The API stores a registry, and the next import uses its account."""
    assert await own.find_all() == []
    registry_id = await store(stored, "quay")
    assert [registry.name for registry in await own.find_all()] == ["quay"]
    await stored.delete(registry_id)
    assert await own.find_all() == []


async def test_another_instance_knows_them_when_its_second_is_over(
    stored: StoredRegistries, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the other instance answers from its cache."""
    other = RegistryLookup(database)
    assert await other.find_all() == []
    await store(stored, "quay")
    assert await other.find_all() == []
    monkeypatch.setattr(cached_rows, "monotonic", lambda: other._registries._until)
    assert [registry.name for registry in await other.find_all()] == ["quay"]
