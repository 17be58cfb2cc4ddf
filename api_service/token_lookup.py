"""Looks up the API tokens of requests; those of one turn of the event loop share a query.

No answer is kept: the query of a request starts after the request has come, so that a revoked token ends at once.
"""

import asyncio
from collections.abc import Mapping

from shared.db.database import Database
from shared.db.tokens import ApiToken, find_tokens, touch_token


class TokenLookup:
    """Asks the database once for all who ask at the same moment: a busy service saves most of its round trips."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secrets: set[str] = set()
        self._next: asyncio.Task[Mapping[str, ApiToken]] | None = None

    async def find(self, secret: str) -> ApiToken | None:
        """Return the token with this secret, also when it has expired or is revoked; notes its use now and then."""
        self._secrets.add(secret)
        if self._next is None:
            self._next = asyncio.create_task(self._look())
            self._next.add_done_callback(_take_note)
        # One of them may be cancelled without the others.
        return (await asyncio.shield(self._next)).get(secret)

    async def _look(self) -> Mapping[str, ApiToken]:
        secrets, self._secrets, self._next = self._secrets, set(), None
        async with self._database.connection() as connection:
            tokens = await find_tokens(connection, secrets)
            for token in tokens.values():
                if token.touch_due and not token.expired and not token.revoked_at:
                    await touch_token(connection, token.id)
        return tokens


def _take_note(task: asyncio.Task[Mapping[str, ApiToken]]) -> None:
    """Look at the failure that all who waited were told, or asyncio reports it where they have all gone."""
    if not task.cancelled():
        task.exception()
