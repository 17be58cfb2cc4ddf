"""The registry client's entry point: registries by name, with one guarded session and one token cache."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from yarl import URL

from shared.errors.codes import Side
from shared.http_client.session import Outgoing, open_outgoing
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.reference import DOCKER_HUB
from shared.rate_limits.account import AccountLimits
from shared.rate_limits.limit import Scope
from shared.rate_limits.limits import Limits
from shared.registry.auth import Account
from shared.registry.repository import Repository
from shared.registry.sign_in import SignInStep
from shared.registry.tokens import TokenCache
from shared.registry.transport import Transport

# Docker Hub's registry has a different host name than its references.
DOCKER_HUB_HOST = "registry-1.docker.io"
# Accounts at registries whose authentication scheme is cached; the least recently used is removed first.
MAX_CACHED_REGISTRIES = 512


@asynccontextmanager
async def open_registries(
    policy: NetworkPolicy, side: Side, limits: Limits | None = None
) -> AsyncIterator["Registries"]:
    """Open the client for one side, whose error codes its failures have. Closes every connection at the end.

    `limits` may be shared with other clients; without them, this client keeps its own.
    """
    async with open_outgoing(policy) as outgoing:
        registries = Registries(outgoing, side, limits or Limits())
        try:
            yield registries
        finally:
            await registries.close()


class Registries:
    """Registries of one side. Two accounts share nothing but the connections."""

    def __init__(self, outgoing: Outgoing, side: Side, limits: Limits) -> None:
        self._outgoing = outgoing
        self._side = side
        self._limits = limits
        self._tokens = TokenCache()
        self._known: OrderedDict[tuple[str, Credential | None], Registry] = OrderedDict()

    def registry(self, host: str, credential: Credential | None = None) -> "Registry":
        """Return a registry by its name in references (`docker.io`, `quay.io`, `localhost:5000`)."""
        key = (host, credential)
        if key not in self._known:
            account = Account(side=self._side, registry=host, base=self._base(host), credential=credential)
            limits = AccountLimits(self._limits, host, credential)
            self._known[key] = Registry(Transport(self._outgoing, account, self._tokens, limits))
        self._known.move_to_end(key)
        while len(self._known) > MAX_CACHED_REGISTRIES:
            self._known.popitem(last=False)
        return self._known[key]

    @asynccontextmanager
    async def without_cache(self) -> AsyncIterator["Registries"]:
        """Open a client with the same connections and rate limits that knows no token and no challenge yet."""
        fresh = Registries(self._outgoing, self._side, self._limits)
        try:
            yield fresh
        finally:
            await fresh.close()

    async def close(self) -> None:
        await self._tokens.close()

    def _base(self, host: str) -> URL:
        scheme = self._outgoing.policy.scheme(host)
        return URL(f"{scheme}://{DOCKER_HUB_HOST if host == DOCKER_HUB else host}", encoded=True)


class Registry:
    """One registry, under one account."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def limits(self) -> AccountLimits:
        return self._transport.limits

    async def check_import_allowed(self) -> None:
        """Raise `*_rate_limited` while no further import should start with this account."""
        await self._transport.check_limits(self._transport.ping(), Scope.IMPORTS)

    async def ping(self) -> None:
        """Check the registry (end-1); raises if it is unreachable, is no registry, or does not accept the account."""
        await self._transport.send(self._transport.ping())

    async def sign_in(self, begin: Callable[[SignInStep], None]) -> None:
        """Check the registry and the account once, and call `begin` before each step; raises the last step's error.

        A client `without_cache` signs in anew.
        """
        await self._transport.sign_in(begin)

    def repository(self, name: str) -> Repository:
        """Return one repository; raises ValueError for an invalid name."""
        return Repository(self._transport, name)
