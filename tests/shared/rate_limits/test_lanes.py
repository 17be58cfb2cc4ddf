"""Slots in several lanes at once: never too many, never a deadlock, and no task is forgotten."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.rate_limits.lanes import Lane, Lanes

# Seconds; far more than any of these schedules takes, whereas a deadlock would never end.
DEADLINE = 5.0
NAMES = "abcd"


def lane(name: str, capacity: int) -> Lane:
    return Lane(name, lambda: capacity)


@dataclass(frozen=True)
class Job:
    """Needs these lanes for a number of turns of the event loop, and may be cancelled after a number of turns."""

    lanes: Sequence[str]
    turns: int
    cancel_after: int | None


JOBS = st.lists(
    st.builds(
        Job,
        lanes=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(tuple),
        turns=st.integers(0, 5),
        cancel_after=st.none() | st.integers(0, 8),
    ),
    max_size=40,
)
CAPACITIES = st.fixed_dictionaries({name: st.integers(1, 3) for name in NAMES})


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def carry_out(jobs: Sequence[Job], capacities: dict[str, int]) -> None:
    lanes, inside = Lanes(), Counter[str]()
    known = {name: lane(name, capacity) for name, capacity in capacities.items()}

    async def run(job: Job) -> None:
        async with lanes.lease(*(known[name] for name in job.lanes)):
            inside.update(job.lanes)
            try:
                assert all(inside[name] <= capacities[name] for name in job.lanes)
                await turns(job.turns)
            finally:
                inside.subtract(job.lanes)

    async def cancel(task: "asyncio.Task[None]", after: int) -> None:
        await turns(after)
        task.cancel()

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    cancelling = [
        asyncio.create_task(cancel(task, job.cancel_after))
        for task, job in zip(tasks, jobs, strict=True)
        if job.cancel_after is not None
    ]
    async with asyncio.timeout(DEADLINE):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*cancelling)
    for job, end in zip(jobs, ends, strict=True):
        assert end is None or (isinstance(end, asyncio.CancelledError) and job.cancel_after is not None), end
    assert not any(lanes.taken(name) for name in NAMES)


# Hypothesis does not shrink a schedule that hangs: each attempt would wait for the whole time limit.
@settings(max_examples=300, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(JOBS, CAPACITIES)
def test_every_schedule_ends_and_no_lane_is_ever_too_full(jobs: Sequence[Job], capacities: dict[str, int]) -> None:
    """Jobs that need the same lanes in any combination, some cancelled while they wait or work."""
    asyncio.run(carry_out(jobs, capacities))


async def test_who_waits_holds_nothing() -> None:
    """Source and target slots are taken together: a full target leaves the source's slots to others."""
    lanes, source, target = Lanes(), lane("source", 1), lane("target", 1)
    async with lanes.lease(target):
        waiting = asyncio.create_task(lanes.lease(source, target).__aenter__())
        await turns(3)
        async with asyncio.timeout(1), lanes.lease(source):
            assert not waiting.done()
    await waiting
    assert (lanes.taken("source"), lanes.taken("target")) == (1, 1)


async def test_a_full_source_does_not_hold_others_up() -> None:
    """Imports from another registry overtake those that wait for this one."""
    lanes, busy, idle, target = Lanes(), lane("busy", 1), lane("idle", 1), lane("target", 3)
    async with lanes.lease(busy, target):
        waiting = asyncio.create_task(lanes.lease(busy, target).__aenter__())
        await turns(3)
        async with asyncio.timeout(1), lanes.lease(idle, target):
            assert not waiting.done()
    await waiting


async def test_the_longest_wait_ends_first() -> None:
    lanes, one = Lanes(), lane("one", 1)
    order: list[int] = []

    async def take(number: int) -> None:
        async with lanes.lease(one):
            order.append(number)
            await asyncio.sleep(0)

    async with lanes.lease(one):
        tasks = [asyncio.create_task(take(number)) for number in range(5)]
        await turns(3)
    # A new job does not overtake waiting ones.
    await asyncio.gather(*tasks, take(5))
    assert order == [0, 1, 2, 3, 4, 5]


async def test_a_capacity_may_change() -> None:
    """A narrowed lane empties first; one slot always remains, or nothing would ever widen it again."""
    lanes, width = Lanes(), [2]
    lane = Lane("narrowing", lambda: width[0])
    await lanes.acquire((lane,))
    await lanes.acquire((lane,))
    width[0] = 0
    third = asyncio.create_task(lanes.acquire((lane,)))
    await turns(3)
    lanes.release((lane,))
    await turns(3)
    assert not third.done()
    lanes.release((lane,))
    await third
    assert lanes.taken("narrowing") == 1


async def test_a_lane_named_twice_is_one_place() -> None:
    """An image that is copied within one registry has it as its source and as its target."""
    lanes, only = Lanes(), lane("only", 1)
    async with asyncio.timeout(1), lanes.lease(only, lane("only", 1)):
        assert lanes.taken("only") == 1
