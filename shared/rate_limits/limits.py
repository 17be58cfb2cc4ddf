"""The limits that a process knows of: its own, and those that others of the fleet have met."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from time import monotonic
from typing import Protocol, TypeAlias

import structlog

from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.rate_limits.lanes import Lanes
from shared.rate_limits.limit import NO_LIMIT, Limit, LimitKey

# How old what is known of the others may be. Seconds.
READ_INTERVAL = 1.0
# What a request waits for the store at most, and how long a store that did not answer is left alone. Seconds. Without
# it, each process goes by what it has met itself.
STORE_PATIENCE = 0.5
AWAY_INTERVAL = 5.0

# From a limit and the present moment to the limit as it is afterwards.
Change: TypeAlias = Callable[[Limit, float], Limit]

_log = structlog.stdlib.get_logger(__name__)


class LimitStore(Protocol):
    """Where a fleet keeps its limits; there, moments are counted from the present one. Raises LongshoreError."""

    async def read(self) -> Mapping[LimitKey, Limit]:
        """Return every limit that still matters."""
        ...

    async def change(self, key: LimitKey, change: Callable[[Limit], Limit]) -> Limit:
        """Change one limit, by itself, and return it as it is then."""
        ...


class Limits:
    """Limits by account, kept by this process and shared through a store, if there is one."""

    def __init__(self, store: LimitStore | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[LimitKey, Limit] = {}
        self._read_at = -READ_INTERVAL
        self._pause = READ_INTERVAL
        self._reading = asyncio.Lock()
        self.lanes = Lanes()

    def wait(self, keys: Iterable[LimitKey]) -> float:
        """Return for how many seconds one of these limits holds on."""
        now = self._clock()
        return max(self._known.get(key, NO_LIMIT).wait(now) for key in keys)

    def share(self, keys: Iterable[LimitKey]) -> float:
        """Return the smallest share that one of these limits leaves."""
        now = self._clock()
        return min(self._known.get(key, NO_LIMIT).share_at(now) for key in keys)

    async def refresh(self) -> None:
        """Take over what others have met, unless that was done a moment ago."""
        if self._store is None or self._clock() - self._read_at < self._pause:
            return
        async with self._reading:
            if self._clock() - self._read_at >= self._pause:
                await self._read(self._store)

    async def change(self, key: LimitKey, change: Change) -> None:
        """Change a limit here and for the fleet."""
        now = self._clock()
        before = self._known.get(key, NO_LIMIT)
        after = change(before, now)
        if after == before:
            return
        self._keep({key: after})
        if self._store is not None:
            await self._tell(self._store, key, change)

    async def _read(self, store: LimitStore) -> None:
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                self._keep({key: limit.shifted(self._clock()) for key, limit in (await store.read()).items()})
            self._pause = READ_INTERVAL
        except (LongshoreError, TimeoutError) as error:
            _log.warning("limits of others not read", error=str(error))
            self._pause = AWAY_INTERVAL
        self._read_at = self._clock()

    async def _tell(self, store: LimitStore, key: LimitKey, change: Change) -> None:
        try:
            async with asyncio.timeout(STORE_PATIENCE):
                told = await store.change(key, lambda stored: change(stored, 0.0))
        except (LongshoreError, TimeoutError) as error:
            _log.warning("limit not told to others", host=key.host, error=str(error))
            return
        self._keep({key: told.shifted(self._clock())})

    def _keep(self, found: Mapping[LimitKey, Limit]) -> None:
        """Add these to what is known, and drop what no longer matters."""
        now = self._clock()
        for key, limit in found.items():
            self._known[key] = self._known.get(key, NO_LIMIT).joined(limit)
        passed = [key for key, limit in self._known.items() if not limit.wait(now) and limit.share_at(now) == 1]
        for key in passed:
            del self._known[key]


def fingerprint(host: str, credential: Credential | None) -> str:
    """Return what tells one account from another without naming it; empty for nobody in particular."""
    return sha256(f"{host}\n{credential.username}".encode()).hexdigest() if credential else ""
