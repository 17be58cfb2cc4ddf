"""Bearer tokens: fetched once, cached while they are valid, never fetched twice at the same time."""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.model.credential import Credential
from shared.registry.scopes import Scopes

# Seconds of a token's lifetime if the service states none (distribution's token specification).
DEFAULT_LIFETIME = 60.0
# Seconds; a longer lifetime is cut.
MAX_LIFETIME = 24 * 3600.0
# Seconds before its expiry from which a token is no longer sent: longer than a request needs to reach the registry.
EXPIRY_MARGIN = 10.0
# Tokens cached by one process. Each has a few kilobytes; the least recently used is removed first.
MAX_TOKENS = 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Identifies a token. The credential is part of the key, so that accounts never share a token."""

    registry: str
    credential: Credential | None
    scopes: Scopes


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and its expiry on this process's monotonic clock."""

    value: str = field(repr=False)
    expires: float

    @classmethod
    def read(cls, content: bytes, requested_at: float) -> "Token":
        """Read a token service's response; `requested_at` is on the monotonic clock. Raises ValueError.

        The lifetime counts from the request, which is never later than the service's `issued_at`, whatever the
        service's clock says.
        """
        document = json.loads(content)
        value = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
        if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
            raise ValueError("no token in the answer")
        lifetime = _lifetime(document.get("expires_in"))
        return cls(value, requested_at + max(lifetime - EXPIRY_MARGIN, lifetime / 2))

    @property
    def valid(self) -> bool:
        return time.monotonic() < self.expires


class TokenCache:
    """Tokens by key; concurrent callers that need the same token wait for a single request."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[TokenKey, Token] = OrderedDict()
        self._fetching: dict[TokenKey, asyncio.Task[Token]] = {}

    async def get(self, key: TokenKey, fetch: Callable[[], Awaitable[Token]], *, rejected: str | None = None) -> Token:
        """Return the token for the key; fetch it if none is cached, or if the cached one was `rejected`."""
        cached = self._tokens.get(key)
        if cached and cached.valid and cached.value != rejected:
            self._tokens.move_to_end(key)
            return cached
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key, fetch))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        # A cancelled caller must not cancel the fetch for the others that wait for the same token.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel all fetches."""
        tasks = tuple(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, key: TokenKey, fetch: Callable[[], Awaitable[Token]]) -> Token:
        token = await fetch()
        self._tokens[key] = token
        self._tokens.move_to_end(key)
        while len(self._tokens) > MAX_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def _fetched(self, key: TokenKey, done: asyncio.Task[Token]) -> None:
        self._fetching.pop(key, None)
        if not done.cancelled():
            # Marks a failure as retrieved, in case every caller has been cancelled.
            done.exception()


def _lifetime(stated: object) -> float:
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not stated > 0:
        return DEFAULT_LIFETIME
    return float(min(stated, MAX_LIFETIME))
