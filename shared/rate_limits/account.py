"""The limits of one account at one registry, as its requests meet them."""

import asyncio
import random
import time
from collections.abc import Mapping
from functools import partial

from shared.http_client.retry import JITTER, LONGEST_RETRY_AFTER
from shared.model.credential import Credential
from shared.rate_limits.headers import Allowance
from shared.rate_limits.lanes import Lane, PoolLease
from shared.rate_limits.limit import Limit, LimitKey, Scope
from shared.rate_limits.limits import Change, Limits, fingerprint

# Small requests of one account at a time and process. They have places of their own, beside those of streams, so that
# none waits behind a large layer.
REQUESTS_AT_ONCE = 64
# Each scope, with those whose limits hold it back.
_HELD_BY: dict[Scope, tuple[Scope, ...]] = {
    Scope.REQUESTS: (Scope.REQUESTS,),
    Scope.MANIFESTS: (Scope.REQUESTS, Scope.MANIFESTS),
    Scope.IMPORTS: (Scope.REQUESTS, Scope.MANIFESTS, Scope.IMPORTS),
}


class AccountLimits:
    """What is known of one account."""

    def __init__(self, limits: Limits, host: str, credential: Credential | None) -> None:
        self._limits = limits
        self._host = host
        self._account = fingerprint(host, credential)
        self._keys = {scope: LimitKey(host=host, account=self._account, scope=scope) for scope in Scope}
        self._held_by = {scope: tuple(self._keys[held] for held in by) for scope, by in _HELD_BY.items()}
        self.request: PoolLease = limits.lanes.lease(
            Lane(("request", host, self._account), lambda: self._reduced(REQUESTS_AT_ONCE))
        )
        """A place for one small request, for the length of an `async with`."""

    def stream_lanes(self, per_host: int) -> tuple[Lane, ...]:
        """Return the lanes of whoever streams a blob: the registry's, and in it the account's, which limits narrow."""
        return (
            Lane(("stream", self._host), lambda: per_host),
            Lane(("stream", self._host, self._account), lambda: self._reduced(per_host)),
        )

    async def held(self, scope: Scope) -> float:
        """Wait once for a limit that ends soon; return how many seconds one holds on then, 0 where there is none."""
        await self._limits.refresh()
        seconds = self._limits.wait(self._held_by[scope])
        if not 0 < seconds <= LONGEST_RETRY_AFTER:
            return seconds
        await asyncio.sleep(seconds + random.uniform(0, JITTER))  # noqa: S311 - jitter, not a secret
        return self._limits.wait(self._held_by[scope])

    async def struck(self, scope: Scope, seconds: float | None) -> float:
        """Take note of a 429 and what its Retry-After says; return how long the limit holds."""
        await self._change(scope, partial(_struck, seconds=seconds))
        return self._limits.wait(self._held_by[scope])

    async def told(self, headers: Mapping[str, str], *, metered: bool) -> None:
        """Take note of what an answer's headers say; `metered` tells whether the request itself was counted.

        With little left, each counted request moves the beginning of further imports. With nothing left there is none.
        """
        allowance = Allowance.read(headers, time.time())
        if allowance is None or not allowance.spacing:
            return
        if metered:
            await self._change(Scope.IMPORTS, partial(_pushed, allowance=allowance))
        elif allowance.spent:
            await self._change(Scope.IMPORTS, partial(_held, seconds=allowance.spacing))

    async def _change(self, scope: Scope, change: Change) -> None:
        await self._limits.change(self._keys[scope], change)

    def _reduced(self, usual: int) -> int:
        return int(usual * self._limits.share(self._held_by[Scope.IMPORTS]))


def _struck(limit: Limit, now: float, *, seconds: float | None) -> Limit:
    return limit.struck(now, seconds)


def _held(limit: Limit, now: float, *, seconds: float) -> Limit:
    return limit.held(now, seconds)


def _pushed(limit: Limit, now: float, *, allowance: Allowance) -> Limit:
    return limit.pushed(now, allowance.spacing, allowance.horizon)
