"""Runs several awaitables at once: the first failure ends all of them, and is raised as one plain exception."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar

# Python 3.11's asyncio.wait_for, which libraries use, occasionally loses a cancellation, which is repeated after this
# time. Seconds; longer than a cancelled task may take to clean up, for instance to hand an import back.
CANCEL_INTERVAL = 10.0

# Documents up to this size are read in the event loop: a millisecond, less than a thread's turn costs a busy process.
# Bytes.
SMALL_DOCUMENT = 64 * 1024
# One thread for large documents: only one of them at a time has its parsed form in memory.
_ASIDE = ThreadPoolExecutor(1, thread_name_prefix="documents")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Other = TypeVar("_Other")


async def gather_all(work: Sequence[Awaitable[_Result]]) -> Sequence[_Result]:
    """Await all of these and return their results in order.

    On the first failure the others are cancelled and awaited, and that failure is raised by itself, not in a group.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel_all(tasks)


async def gather_bounded(
    work: Callable[[_Item], Awaitable[_Result]], items: Sequence[_Item], at_once: int
) -> Sequence[_Result]:
    """Do the same as `gather_all` for any number of items, with tasks for at most `at_once` of them at a time."""
    waiting = enumerate(items)
    done: dict[int, _Result] = {}

    async def serve() -> None:
        for position, item in waiting:
            done[position] = await work(item)

    await gather_all([serve() for _ in range(min(at_once, len(items)))])
    return [done[position] for position in range(len(done))]


async def run_aside(size: int, work: Callable[[], _Result]) -> _Result:
    """Return the result of computing on a document of this size, in another thread if the document is large."""
    if size <= SMALL_DOCUMENT:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, work)


async def both(first: Awaitable[_Result], second: Awaitable[_Other]) -> tuple[_Result, _Other]:
    """Do the same as `gather_all` for two awaitables with results of different types."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel_all(tasks)


async def run_in_thread(
    work: Callable[[], _Result], abort: Callable[[], object], executor: Executor | None = None
) -> _Result:
    """Run work in a thread; on cancellation, abort the work and wait until it has ended."""
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        abort()
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # Caused by the abort; mark it as retrieved.
        raise


async def finish_within(
    work: Awaitable[_Result], seconds: float, *, end: Callable[[], object] = lambda: None
) -> _Result:
    """Await work; a cancellation calls `end`, and is raised when the work has ended.

    After `seconds`, the work is cancelled, too.
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        end()
        await asyncio.wait({working}, timeout=seconds)
        await cancel_all([working])
        if not working.cancelled():
            working.exception()  # Mark it as retrieved.
        raise


async def cancel_all(tasks: Sequence["asyncio.Future[Any]"], *, interval: float = CANCEL_INTERVAL) -> None:
    """Cancel the tasks that still run, and wait until all have ended; their results and errors are dropped.

    After `interval` seconds, tasks that still run are cancelled again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=interval)
