"""Looks up API tokens: a result is cached for a second, and concurrent requests share one query."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from shared.db.access.tokens import ApiToken, TokenState, find_tokens, touch_token
from shared.db.coalescer import Coalescer
from shared.db.database import Database

# A token works at most this long after it was revoked or expired. Seconds. Without the cache every request would cost
# another query, a tenth of the time that a page of a list takes.
KEPT_FOR = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A valid token; it is cached until the monotonic clock shows `until`, in seconds."""

    token: ApiToken
    until: float


class TokenLookup:
    """Queries the database once for concurrent requests, which saves a busy service most of its round trips."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, _Kept] = {}
        self._coalescer = Coalescer(self._look)

    async def find(self, secret: str) -> ApiToken | None:
        """Return the token with this secret, even if it has expired or is revoked; record its use from time to time."""
        kept = self._kept.get(secret)
        if kept and time.monotonic() < kept.until:
            return kept.token
        return (await self._coalescer.ask(secret)).get(secret)

    async def _look(self, secrets: frozenset[str]) -> Mapping[str, ApiToken]:
        # The time before the query, which does not see later changes.
        now = time.monotonic()
        async with self._database.connection() as connection:
            tokens = await find_tokens(connection, secrets)
            good = {secret: token for secret, token in tokens.items() if token.state is TokenState.VALID}
            for token in good.values():
                if token.touch_due:
                    await touch_token(connection, token.id)
        self._keep(good, now)
        return tokens

    def _keep(self, good: Mapping[str, ApiToken], now: float) -> None:
        """Cache valid tokens only, so that guesses take no memory."""
        fresh = {secret: kept for secret, kept in self._kept.items() if now < kept.until}
        self._kept = fresh | {secret: _Kept(token, now + KEPT_FOR) for secret, token in good.items()}
