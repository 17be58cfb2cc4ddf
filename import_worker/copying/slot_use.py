"""One import's use of its worker's slot: given back while all that the import does is wait for other imports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from import_worker.copying.ends import ImportSlot


class SlotUse:
    """Counts the parts of an import that work, and those that wait for another import's transfer.

    No part works while the slot is given back; the first one that is to work again takes it for all of them. An import
    that only waits has claimed no transfer, so that no import ever waits for one that waits for a slot.
    """

    def __init__(self, slot: ImportSlot | None) -> None:
        """Use this slot; with None, the import has none that it could give back."""
        self._slot = slot
        self._working = 0
        self._held = True
        self._taking = asyncio.Lock()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work during the block."""
        self._working += 1
        try:
            await self._take_again()
            yield
        finally:
            self._working -= 1

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Wait during the block, which is within one of `working`; after an exception the slot is not taken again."""
        self._working -= 1
        try:
            yield
        finally:
            self._working += 1
        await self._take_again()

    def give_back_if_idle(self) -> None:
        """Give the slot back if no part works."""
        if self._slot and self._held and not self._working:
            self._held = not self._slot.give_back()

    async def _take_again(self) -> None:
        async with self._taking:
            if self._slot and not self._held:
                await self._slot.take_again()
                self._held = True
