"""The rate limits known to one process: its own, and those that other processes have stored.

Why: docs/decisions/0019.
"""

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

# Seconds between two reads of the store.
READ_INTERVAL = 1.0
# Seconds that a request waits for the store, and seconds without reads after the store did not respond. Without the
# store, each process obeys only the limits that it has met itself.
STORE_TIMEOUT = 0.5
RETRY_INTERVAL = 5.0

# Returns the new limit for a limit and the current moment.
Change: TypeAlias = Callable[[Limit, float], Limit]

_log = structlog.stdlib.get_logger(__name__)


class LimitStore(Protocol):
    """The store that all processes share; in it, moments are seconds from now. Raises LongshoreError."""

    async def read(self) -> Mapping[LimitKey, Limit]:
        """Return every limit that still has an effect."""
        ...

    async def change(self, key: LimitKey, change: Callable[[Limit], Limit]) -> Limit:
        """Change one limit atomically, and return the result."""
        ...


class Limits:
    """Per-account rate limits, cached in memory and optionally shared through a LimitStore."""

    def __init__(self, store: LimitStore | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[LimitKey, Limit] = {}
        self._read_at = -READ_INTERVAL
        self._pause = READ_INTERVAL
        self._reading = asyncio.Lock()
        self.lanes = Lanes()

    def remaining(self, keys: Iterable[LimitKey]) -> float:
        """Return the seconds for which any of these limits still holds."""
        now = self._clock()
        return max(self._known.get(key, NO_LIMIT).remaining(now) for key in keys)

    def concurrency_share(self, keys: Iterable[LimitKey]) -> float:
        """Return the smallest share of these limits."""
        now = self._clock()
        return min(self._known.get(key, NO_LIMIT).concurrency_share_at(now) for key in keys)

    async def refresh(self) -> None:
        """Read the limits of the other processes, unless that was done less than a second ago."""
        if self._store is None or self._clock() - self._read_at < self._pause:
            return
        async with self._reading:
            if self._clock() - self._read_at >= self._pause:
                await self._read(self._store)

    async def change(self, key: LimitKey, change: Change) -> None:
        """Change a limit in this process and in the store."""
        now = self._clock()
        before = self._known.get(key, NO_LIMIT)
        after = change(before, now)
        if after == before:
            return
        self._merge({key: after})
        if self._store is not None:
            await self._store_change(self._store, key, change)

    async def _read(self, store: LimitStore) -> None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                self._merge({key: limit.rebased(self._clock()) for key, limit in (await store.read()).items()})
            self._pause = READ_INTERVAL
        except (LongshoreError, TimeoutError) as error:
            _log.warning("limits.read_failed", error=str(error))
            self._pause = RETRY_INTERVAL
        self._read_at = self._clock()

    async def _store_change(self, store: LimitStore, key: LimitKey, change: Change) -> None:
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                changed = await store.change(key, lambda stored: change(stored, 0.0))
        except (LongshoreError, TimeoutError) as error:
            _log.warning("limits.store_failed", host=key.host, error=str(error))
            return
        self._merge({key: changed.rebased(self._clock())})

    def _merge(self, found: Mapping[LimitKey, Limit]) -> None:
        """Merge these limits into the known ones, and drop those without an effect."""
        now = self._clock()
        for key, limit in found.items():
            self._known[key] = self._known.get(key, NO_LIMIT).stricter(limit)
        expired = [
            key
            for key, limit in self._known.items()
            if not limit.remaining(now) and limit.concurrency_share_at(now) == 1
        ]
        for key in expired:
            del self._known[key]


def fingerprint(host: str, credential: Credential | None) -> str:
    """Return a hash that identifies an account without naming it; empty for anonymous access."""
    return sha256(f"{host}\n{credential.username}".encode()).hexdigest() if credential else ""
