"""Looks up the API tokens of requests: an answer serves a second's requests, and those that wait share a query."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from shared.db.coalescer import Coalescer
from shared.db.database import Database
from shared.db.tokens import ApiToken, find_tokens, touch_token

# How long a token may be used at most after it has been revoked or has expired. Seconds: without it, every request
# would cost a query more, a tenth of the time that a page of a list takes.
KEPT_FOR = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A good token, until the service's clock shows `until`, in seconds."""

    token: ApiToken
    until: float


class TokenLookup:
    """Asks the database once for all who ask at the same moment: a busy service saves most of its round trips."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, _Kept] = {}
        self._coalescer = Coalescer(self._look)

    async def find(self, secret: str) -> ApiToken | None:
        """Return the token with this secret, also when it has expired or is revoked; notes its use now and then."""
        kept = self._kept.get(secret)
        if kept and time.monotonic() < kept.until:
            return kept.token
        return (await self._coalescer.ask(secret)).get(secret)

    async def _look(self, secrets: frozenset[str]) -> Mapping[str, ApiToken]:
        # Before the query, which may see less than what has been done since.
        now = time.monotonic()
        async with self._database.connection() as connection:
            tokens = await find_tokens(connection, secrets)
            good = {secret: token for secret, token in tokens.items() if not token.expired and not token.revoked_at}
            for token in good.values():
                if token.touch_due:
                    await touch_token(connection, token.id)
        self._keep(good, now)
        return tokens

    def _keep(self, good: Mapping[str, ApiToken], now: float) -> None:
        """Keep good tokens alone, so that a stranger's guesses take no memory."""
        fresh = {secret: kept for secret, kept in self._kept.items() if now < kept.until}
        self._kept = fresh | {secret: _Kept(token, now + KEPT_FOR) for secret, token in good.items()}
