"""Goes through many imports, each in a transaction of its own: one that cannot be handled holds up no other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import structlog

from shared.errors.error import LongshoreError
from shared.runtime.concurrency import gather_all
from shared.runtime.condition import describe

# Imports of one query. A sweep reads one page after the other, until a page is not full.
PAGE = 100
# Transactions at once: they share commits, and a row that is locked for long delays few others.
AT_ONCE = 4

_logger = structlog.get_logger(__name__)


class Found(Protocol):
    """A row of a page, which names its import."""

    @property
    def import_id(self) -> int: ...


Row = TypeVar("Row", bound=Found)


async def sweep(
    find: Callable[[Row | None, int], Awaitable[Sequence[Row]]],
    handle: Callable[[Row], Awaitable[None]],
    *,
    check: Callable[[], Awaitable[None]],
    failed: str,
) -> None:
    """Handle every row of every page; `find` returns at most so many rows behind a row.

    Where one row fails although `check` finds that the database answers, the sweep goes on, and the next one tries the
    row again; `failed` is the event in the log. Raises `database_unavailable`.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def handle_alone(row: Row) -> None:
        try:
            async with places:
                await handle(row)
        except LongshoreError as error:
            _logger.warning(failed, import_id=row.import_id, reason=describe(error))
            await check()
        except Exception as error:  # noqa: BLE001 - a row that a defect makes unreadable must not hold up all others
            _logger.error(failed, import_id=row.import_id, reason=describe(error))  # noqa: TRY400

    last: Row | None = None
    while True:
        page = await find(last, PAGE)
        await gather_all([handle_alone(row) for row in page])
        if len(page) < PAGE:
            return
        last = page[-1]
