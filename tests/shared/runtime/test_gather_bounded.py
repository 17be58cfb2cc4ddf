"""Work on many items with few tasks."""

import asyncio

import pytest

from shared.runtime.concurrency import SMALL_DOCUMENT, gather_bounded, run_aside


async def test_results_come_in_order_and_few_run_at_once() -> None:
    """Nothing is made for an item that is not under way."""
    running, most, tasks = 0, 0, 0

    async def work(number: int) -> int:
        nonlocal running, most, tasks
        running += 1
        most, tasks = max(most, running), max(tasks, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    before = len(asyncio.all_tasks())
    assert await gather_bounded(work, range(1000), 7) == [number * 2 for number in range(1000)]
    assert most == 7
    assert tasks <= before + 7


async def test_the_first_failure_ends_all() -> None:
    """Later items are not begun."""
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        await asyncio.sleep(3600 if number > 3 else 0)

    with pytest.raises(ValueError, match="three"):
        await gather_bounded(work, range(1000), 4)
    assert max(begun) < 10


async def test_a_large_document_does_not_stop_the_event_loop() -> None:
    """Its work waits for the loop here, which would never come if it ran in the loop."""
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def work() -> bool:
        return asyncio.run_coroutine_threadsafe(reached.wait(), loop).result(10)

    loop.call_soon(reached.set)
    assert await run_aside(SMALL_DOCUMENT + 1, work)
