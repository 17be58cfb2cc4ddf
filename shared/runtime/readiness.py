"""Whether a process can do its work, part by part."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, TypeAlias

from shared.errors.error import LongshoreError

# What one part has to answer; a probe's own limit is rarely below three. Seconds.
DEADLINE = 2.5
# For a check whose outcome is kept: below the other one, so that a silence is an outcome too. Seconds.
CACHED_CHECK_DEADLINE = 2.0

Check: TypeAlias = Callable[[], Awaitable[None]]


class State(StrEnum):
    """How a process stands."""

    READY = "ready"
    DEGRADED = "degraded"
    """It does its work; a part that it can wait for is away."""
    UNREADY = "unready"
    STOPPING = "stopping"
    """It finishes what it has, and is not to be given more."""


class PartDownError(Exception):
    """A part does not work; the text may be shown to anybody."""


_SERVES = frozenset({State.READY, State.DEGRADED})


class Readiness:
    """Asks every part at once."""

    def __init__(self, checks: Mapping[str, Check], *, optional: Container[str] = ()) -> None:
        """Take a check for each part; without those in `optional` the process does its work all the same."""
        self._checks = dict(checks)
        self._optional = optional
        self._stopping = False

    def stop(self) -> None:
        """Say from now on that this process is not to be given more to do."""
        self._stopping = True

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the process may be given work, and the body that names each part."""
        outcomes = await asyncio.gather(*(_outcome(check) for check in self._checks.values()))
        parts = dict(zip(self._checks, outcomes, strict=True))
        state = self._state({name for name, part in parts.items() if not part["ready"]})
        return state in _SERVES, {"status": state.value, "parts": parts}

    def _state(self, away: AbstractSet[str]) -> State:
        if self._stopping:
            return State.STOPPING
        if not away:
            return State.READY
        return State.DEGRADED if all(name in self._optional for name in away) else State.UNREADY


class CachedCheck:
    """A check whose outcome is kept for a while, so that frequent probes do not become load for others."""

    def __init__(self, check: Check, *, seconds: float) -> None:
        self._check = check
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._trouble: PartDownError | None = None

    async def __call__(self) -> None:
        """Raise what the last check raised, or check anew; those who come meanwhile wait for the same answer."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at >= self._seconds:
                self._trouble = await _trouble(self._check, CACHED_CHECK_DEADLINE)
                self._asked_at = now
        if self._trouble:
            raise PartDownError(str(self._trouble))


async def _outcome(check: Check) -> dict[str, Any]:
    trouble = await _trouble(check, DEADLINE)
    return {"ready": False, "detail": str(trouble)} if trouble else {"ready": True}


async def _trouble(check: Check, deadline: float) -> PartDownError | None:
    try:
        async with asyncio.timeout(deadline):
            await check()
    except PartDownError as error:
        return error
    except LongshoreError as error:
        return PartDownError(f"{error.code}: {error.detail}")
    except TimeoutError:
        return PartDownError("no answer in time")
    return None
