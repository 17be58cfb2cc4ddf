"""Running several things at once so that the first failure ends them all, as one plain exception."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

# Python 3.11's asyncio.wait_for, which libraries use, loses a cancellation now and then; then it is said again.
# Seconds; longer than what a task may do on its way out, such as handing an import back.
CANCEL_INTERVAL = 10.0

_Result = TypeVar("_Result")


async def gather_all(work: Sequence[Awaitable[_Result]]) -> Sequence[_Result]:
    """Await all of these and return their results in order.

    On the first failure the others are cancelled and awaited, and that failure is raised by itself, not in a group.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel_all(tasks)


async def cancel_all(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Cancel those that still run, and wait until all have ended; their outcomes are dropped."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_INTERVAL)
