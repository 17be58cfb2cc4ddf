"""The readiness of a process: whether it can work, and the state of each part that it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, TypeAlias

from shared.errors.error import LongshoreError

# The time that one part has to respond; a probe's own limit is rarely below three. Seconds.
DEADLINE = 2.5
# For a cached check: below the other limit, so that a missing response is cached, too. Seconds.
CACHED_CHECK_DEADLINE = 2.0

Check: TypeAlias = Callable[[], Awaitable[None]]


class State(StrEnum):
    """The state of a process."""

    READY = "ready"
    DEGRADED = "degraded"
    """It works; a part that it can wait for is unavailable."""
    UNREADY = "unready"
    STOPPING = "stopping"
    """It finishes its current work, and must not be given more."""


class PartDownError(Exception):
    """A part does not work; the text contains nothing confidential."""


_SERVES = frozenset({State.READY, State.DEGRADED})


class Readiness:
    """Checks all parts at the same time."""

    def __init__(self, checks: Mapping[str, Check], *, optional: Container[str] = ()) -> None:
        """Take a check for each part; the process still works without the parts in `optional`."""
        self._checks = dict(checks)
        self._optional = optional
        self._stopping = False

    def stop(self) -> None:
        """Report from now on that this process must not be given more work."""
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
    """Caches the outcome of a check for a while, so that frequent probes do not load other services."""

    def __init__(self, check: Check, *, seconds: float) -> None:
        self._check = check
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._trouble: PartDownError | None = None

    async def __call__(self) -> None:
        """Raise the error of the last check, or check again; concurrent callers share one check."""
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
