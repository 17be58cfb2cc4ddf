"""Bearer tokens: fetched once, kept while they are good, never fetched twice at the same time."""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.model.credential import Credential
from shared.registry.scopes import Scopes

# Seconds that a token is good for where the service does not say (distribution's token specification).
DEFAULT_LIFETIME = 60.0
# Seconds; a service that says more is asked again all the same.
MAX_LIFETIME = 24 * 3600.0
# Seconds before its end from which a token is no longer sent: longer than a request needs to reach the registry.
EXPIRY_MARGIN = 10.0
# Tokens kept by one process. Each has a few kilobytes; the longest unused goes first.
MAX_TOKENS = 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Whose token, and for what. The credential is part of it, so that accounts never share one."""

    registry: str
    credential: Credential | None
    scopes: Scopes


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and when it ends, on this process's monotonic clock."""

    value: str = field(repr=False)
    expires: float

    @classmethod
    def read(cls, content: bytes, asked_at: float) -> "Token":
        """Read a token service's answer; `asked_at` is on the monotonic clock. Raises ValueError.

        The lifetime counts from our question, which is never later than the service's `issued_at`, whatever its
        clock says.
        """
        document = json.loads(content)
        value = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
        if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
            raise ValueError("no token in the answer")
        lifetime = _lifetime(document.get("expires_in"))
        return cls(value, asked_at + max(lifetime - EXPIRY_MARGIN, lifetime / 2))

    @property
    def good(self) -> bool:
        return time.monotonic() < self.expires


class TokenCache:
    """Tokens by key; concurrent wishes for the same one wait for a single request."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[TokenKey, Token] = OrderedDict()
        self._fetching: dict[TokenKey, asyncio.Task[Token]] = {}

    async def get(self, key: TokenKey, fetch: Callable[[], Awaitable[Token]], *, not_this: str | None = None) -> Token:
        """Return the token for the key, fetched where there is none, or where the one kept is `not_this`."""
        kept = self._tokens.get(key)
        if kept and kept.good and kept.value != not_this:
            self._tokens.move_to_end(key)
            return kept
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key, fetch))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        # One caller's cancellation must not fail the others that wait for the same token.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is still being fetched."""
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
            # Marks a failure as seen where every caller has been cancelled meanwhile.
            done.exception()


def _lifetime(stated: object) -> float:
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not stated > 0:
        return DEFAULT_LIFETIME
    return float(min(stated, MAX_LIFETIME))
