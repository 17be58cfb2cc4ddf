"""Looks stored registries up for requests; nothing is kept, so that a change holds from the next request on."""

from collections.abc import Sequence
from dataclasses import dataclass

from api_service.together import Together
from shared.db import registries
from shared.db.database import Database
from shared.db.registries import StoredRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRegistry:
    """Those with this host or this name, and the default one where that is wanted."""

    host: str
    name: str | None
    default: bool


class RegistryLookup:
    """Asks the database once for all who ask at the same moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(self._look)

    async def find(self, asked: AskedRegistry) -> Sequence[StoredRegistry]:
        """Return what was asked for, and maybe more: what others have asked for."""
        return await self._together.ask(asked)

    async def _look(self, asked: frozenset[AskedRegistry]) -> Sequence[StoredRegistry]:
        async with self._database.connection() as connection:
            return await registries.find_registries(
                connection,
                hosts={one.host for one in asked},
                names={one.name for one in asked if one.name is not None},
                default=any(one.default for one in asked),
            )
