"""The rate limits of one account at one registry."""

import asyncio
import random
import time
from collections.abc import Mapping
from functools import partial

from shared.http_client.retry import JITTER, LONGEST_RETRY_AFTER
from shared.http_client.unreadable import reads_hint
from shared.model.credential import Credential
from shared.rate_limits.headers import Allowance
from shared.rate_limits.lanes import Lane, PoolLease
from shared.rate_limits.limit import Limit, LimitKey, Scope
from shared.rate_limits.limits import Change, Limits, fingerprint

# Concurrent small requests of one account in one process. They have slots of their own, apart from those of streams, so
# that none waits behind a large layer.
REQUESTS_AT_ONCE = 64
# One of so many places for streams is for blobs that are not large; without a fourth place there is none.
SMALL_SHARE = 4
# For each scope, the scopes whose limits hold it.
_HELD_BY: dict[Scope, tuple[Scope, ...]] = {
    Scope.REQUESTS: (Scope.REQUESTS,),
    Scope.MANIFESTS: (Scope.REQUESTS, Scope.MANIFESTS),
    Scope.IMPORTS: (Scope.REQUESTS, Scope.MANIFESTS, Scope.IMPORTS),
}


class AccountLimits:
    """Waits for the limits of one account, and records what its responses say about them."""

    def __init__(self, limits: Limits, host: str, credential: Credential | None) -> None:
        self._limits = limits
        self._host = host
        self._account = fingerprint(host, credential)
        self._keys = {scope: LimitKey(host=host, account=self._account, scope=scope) for scope in Scope}
        self._held_by = {scope: tuple(self._keys[held] for held in by) for scope, by in _HELD_BY.items()}
        self.request: PoolLease = limits.lanes.lease(
            Lane(("request", host, self._account), lambda: self._limited(REQUESTS_AT_ONCE))
        )
        """A slot for one small request, held for the length of an `async with`."""

    def stream_lanes(self, per_host: int, *, large: bool = False) -> tuple[Lane, ...]:
        """Return the lanes for streaming a blob: the registry's, and the account's, which a rate limit narrows.

        A large blob has a narrower one beside each of them: large ones, which may take hours, leave places to others.
        """
        lanes = (
            Lane(("stream", self._host), lambda: per_host),
            Lane(("stream", self._host, self._account), lambda: self._limited(per_host)),
        )
        return (*lanes, *(_for_large(lane) for lane in lanes)) if large else lanes

    async def wait(self, scope: Scope) -> float:
        """Wait once for a limit that ends soon; return the seconds for which one still holds, 0 without a limit."""
        await self._limits.refresh()
        seconds = self._limits.remaining(self._held_by[scope])
        if not 0 < seconds <= LONGEST_RETRY_AFTER:
            return seconds
        await asyncio.sleep(seconds + random.uniform(0, JITTER))  # noqa: S311 - jitter, not a secret
        return self._limits.remaining(self._held_by[scope])

    async def on_rate_limited(self, scope: Scope, seconds: float | None) -> float:
        """Record a 429 with its Retry-After in seconds; return the seconds for which the limit holds."""
        await self._change(scope, partial(_on_rate_limited, seconds=seconds))
        return self._limits.remaining(self._held_by[scope])

    async def observe_headers(self, headers: Mapping[str, str], *, metered: bool) -> None:
        """Record the rate limit headers of a response; `metered` says whether the registry counts this request.

        If little is left, each metered request delays the start of further imports. If nothing is left, none starts.
        """
        allowance = _read_allowance(headers)
        if allowance is None or not allowance.spacing:
            return
        if metered:
            await self._change(Scope.IMPORTS, partial(_delay_by, allowance=allowance))
        elif allowance.spent:
            await self._change(Scope.IMPORTS, partial(_hold_for, seconds=allowance.spacing))

    async def _change(self, scope: Scope, change: Change) -> None:
        await self._limits.change(self._keys[scope], change)

    def _limited(self, usual: int) -> int:
        return int(usual * self._limits.concurrency_share(self._held_by[Scope.IMPORTS]))


@reads_hint
def _read_allowance(headers: Mapping[str, str]) -> Allowance | None:
    return Allowance.read(headers, time.time())


def _on_rate_limited(limit: Limit, now: float, *, seconds: float | None) -> Limit:
    return limit.on_rate_limited(now, seconds)


def _hold_for(limit: Limit, now: float, *, seconds: float) -> Limit:
    return limit.hold_for(now, seconds)


def _delay_by(limit: Limit, now: float, *, allowance: Allowance) -> Limit:
    return limit.delay_by(now, allowance.spacing, allowance.horizon)


def _for_large(lane: Lane) -> Lane:
    """Return the lane of the large blobs among those of this lane."""

    def capacity() -> int:
        places = lane.capacity()
        return places - places // SMALL_SHARE

    return Lane(("large", lane.name), capacity)
