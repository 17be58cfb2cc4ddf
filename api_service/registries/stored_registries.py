"""The use cases behind /image-registries: source registries and their accounts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.registries.address import read_address, registry_url
from api_service.registries.lookup import RegistryLookup
from api_service.registries.request import AccountChange, NewRegistry, RegistryChange
from shared.db.access import registries
from shared.db.access.registries import RegistryValues, StoredRegistry
from shared.db.database import Connection, Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import seal_stored
from shared.network.policy import NetworkPolicy
from shared.runtime.secret_box import SecretBox

# Registries are added by hand and listed without pages; no installation has come near so many.
MAX_REGISTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRegistry:
    """A stored registry and the address that Longshore calls it at."""

    stored: StoredRegistry
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRegistries:
    """Stores registries. `policy` has the rules for calls to sources; `lookup` forgets its cache after each change."""

    database: Database
    lookup: RegistryLookup
    secrets: SecretBox
    policy: NetworkPolicy

    async def list_all(self) -> list[SourceRegistry]:
        """Return all of them, by name."""
        async with self.database.connection() as connection:
            found = await registries.list_registries(connection)
        return [self._with_url(stored) for stored in found]

    async def get(self, registry_id: int) -> SourceRegistry:
        """Return one; raises `registry_not_found`."""
        async with self.database.connection() as connection:
            return self._with_url(await _get(connection, registry_id))

    async def create(self, wanted: NewRegistry, by: Identity) -> SourceRegistry:
        """Store one.

        Raises `registry_exists` if its name or its address is already stored, `registry_limit_reached`, and
        `validation_failed`.
        """
        host = read_address(wanted.url, self.policy)
        values = RegistryValues(
            name=wanted.name,
            host=host,
            username=wanted.account.username if wanted.account else None,
            password=seal_stored(self.secrets, wanted.account, host=host) if wanted.account else None,
            is_default=wanted.is_default,
            access=wanted.access,
        )
        async with self._changing() as connection:
            if await registries.count_registries(connection) >= MAX_REGISTRIES:
                raise LongshoreError(Code.REGISTRY_LIMIT_REACHED, f"There are {MAX_REGISTRIES} registries already.")
            await _check_unique(connection, values)
            return self._with_url(await registries.insert_registry(connection, values, user=by.user))

    async def change(self, registry_id: int, change: RegistryChange) -> SourceRegistry:
        """Change the given values; raises `registry_not_found`, `registry_exists`, `validation_failed`."""
        host = read_address(change.url, self.policy) if change.url else None
        async with self._changing() as connection:
            stored = await _get(connection, registry_id)
            values = self._changed(stored, change, host or stored.host)
            if values == _values(stored):
                return self._with_url(stored)
            await _check_unique(connection, values, stored)
            return self._with_url(await registries.update_registry(connection, registry_id, values))

    async def delete(self, registry_id: int) -> None:
        """Delete one with its account; imports that have begun keep their account. Raises `registry_not_found`."""
        async with self._changing() as connection:
            if not await registries.delete_registry(connection, registry_id):
                raise _not_found(registry_id)

    def _with_url(self, stored: StoredRegistry) -> SourceRegistry:
        return SourceRegistry(stored=stored, url=registry_url(stored.host, self.policy))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        """Open a transaction that no other change of registries overlaps."""
        async with self.database.transaction() as connection:
            await registries.lock_registries(connection)
            yield connection
        self.lookup.forget()

    def _changed(self, stored: StoredRegistry, change: RegistryChange, host: str) -> RegistryValues:
        if host != stored.host and stored.password and change.account is None:
            reason = "The account belongs to the old address: send its password again, or another account."
            raise LongshoreError(Code.VALIDATION_FAILED, f"password: {reason}", fields={"password": reason})
        username, password = self._account(stored, change.account, host)
        return RegistryValues(
            name=change.name or stored.name,
            host=host,
            username=username,
            password=password,
            is_default=stored.is_default if change.is_default is None else change.is_default,
            access=change.access.list if change.access else stored.access,
        )

    def _account(
        self, stored: StoredRegistry, change: AccountChange | None, host: str
    ) -> tuple[str | None, bytes | None]:
        if change is None:
            return stored.username, stored.password
        if change.password is None:
            return None, None
        username = change.username or stored.username
        if username is None:
            reason = "There is no user name for the password."
            raise LongshoreError(Code.VALIDATION_FAILED, f"username: {reason}", fields={"username": reason})
        return username, seal_stored(self.secrets, Credential(username, change.password), host=host)


def _values(stored: StoredRegistry) -> RegistryValues:
    return RegistryValues(
        name=stored.name,
        host=stored.host,
        username=stored.username,
        password=stored.password,
        is_default=stored.is_default,
        access=stored.access,
    )


async def _get(connection: Connection, registry_id: int) -> StoredRegistry:
    found = await registries.get_registry(connection, registry_id)
    if found is None:
        raise _not_found(registry_id)
    return found


async def _check_unique(connection: Connection, values: RegistryValues, old: StoredRegistry | None = None) -> None:
    """Raise `registry_exists` if another registry has the name or the host; clear another's default if necessary."""
    found = await registries.find_registries(connection, host=values.host, name=values.name)
    for other in found:
        if old is None or other.id != old.id:
            field, value = ("url", values.host) if other.host == values.host else ("name", values.name)
            reason = f"{value} is stored already, as registry {other.id} ({other.name})."
            raise LongshoreError(Code.REGISTRY_EXISTS, reason, fields={field: reason})
    if values.is_default and not (old and old.is_default):
        await registries.clear_default(connection)


def _not_found(registry_id: int) -> LongshoreError:
    return LongshoreError(Code.REGISTRY_NOT_FOUND, f"There is no registry {registry_id}.")
