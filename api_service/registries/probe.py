"""The use case behind POST /image-registries/:id:test: call a stored registry once, and sign in with its account.

A test must not help to guess passwords or to search a network. It calls the stored host alone, under the network policy
of sources, and each host and all hosts together have a rate.
"""

import asyncio
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.registries.may_use import is_user
from shared.db.access import registries, registry_tests
from shared.db.access.registries import StoredRegistry
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.sealed_account import open_stored
from shared.registry.client import Registries
from shared.registry.sign_in import SignInStep
from shared.runtime.secret_box import SecretBox

# The API answers within five seconds. Seconds.
DEADLINE = 4.0
# Seconds between two tests of one host. No test lasts so long: there is one at a time.
INTERVAL = 10.0
# Tests of one host in an hour: enough to set an account up, and few guesses of a password.
PER_HOUR = 30
# Tests of all hosts in a minute: all registries of an installation are tested within minutes, a network is not.
PER_MINUTE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The steps that began, in their order; if there is an error, the last of them failed.

    `with_account`: an account is stored.
    """

    host: str
    with_account: bool
    begun: tuple[SignInStep, ...]
    error: LongshoreError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryProbe:
    """Tests stored registries. `sources` are the clients of source registries."""

    database: Database
    sources: Registries
    secrets: SecretBox

    async def run(self, registry_id: int, by: Identity) -> ProbeResult:
        """Test a registry that the caller may use; a failure of the registry is part of the result.

        Raises `registry_not_found`, `forbidden` and `registry_test_limited`.
        """
        stored = await self._begin(registry_id, by)
        begun: list[SignInStep] = []
        error = None
        try:
            async with asyncio.timeout(DEADLINE):
                await self._sign_in(stored, begun)
        except TimeoutError:
            error = LongshoreError(Code.SOURCE_STALLED, f"{stored.host} did not answer within {DEADLINE:g} seconds.")
        except LongshoreError as failure:
            error = failure
        return ProbeResult(
            host=stored.host,
            with_account=stored.password is not None,
            # Nothing has begun if the stored account cannot be opened.
            begun=tuple(begun) or (SignInStep.SIGN_IN,),
            error=error,
        )

    async def _sign_in(self, stored: StoredRegistry, begun: list[SignInStep]) -> None:
        credential = self._account(stored)
        async with self.sources.without_cache() as sources:
            await sources.registry(stored.host, credential).sign_in(begun.append)

    async def _begin(self, registry_id: int, by: Identity) -> StoredRegistry:
        """Return the registry, whose test has been counted."""
        async with self.database.transaction() as connection:
            stored = await registries.get_registry(connection, registry_id)
            if stored is None:
                raise LongshoreError(Code.REGISTRY_NOT_FOUND, f"There is no registry {registry_id}.")
            if not is_user(stored.access, by):
                raise LongshoreError(
                    Code.FORBIDDEN, f"{by.user} may not use the account of {stored.name}, and so may not test it."
                )
            await registry_tests.lock_tests(connection)
            _check_rate(stored.host, await registry_tests.recent_tests(connection, stored.host))
            await registry_tests.add_test(connection, stored.host)
        return stored

    def _account(self, stored: StoredRegistry) -> Credential | None:
        if stored.username is None or stored.password is None:
            return None
        return open_stored(self.secrets, stored.password, host=stored.host, username=stored.username)


def _check_rate(host: str, recent: registry_tests.RecentTests) -> None:
    """Raise `registry_test_limited` if another test would be one too many."""
    if recent.since_last is not None and recent.since_last < INTERVAL:
        wait, reason = INTERVAL - recent.since_last, f"{host} was tested {recent.since_last:.0f} seconds ago"
    elif recent.of_host >= PER_HOUR:
        wait, reason = registry_tests.KEPT_FOR / PER_HOUR, f"{host} was tested {recent.of_host} times within an hour"
    elif recent.of_all >= PER_MINUTE:
        wait, reason = INTERVAL, f"{recent.of_all} registries were tested within a minute"
    else:
        return
    raise LongshoreError(Code.REGISTRY_TEST_LIMITED, f"{reason}.", retry_after=wait)
