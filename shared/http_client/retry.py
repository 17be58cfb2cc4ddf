"""The one place where a request is tried again."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from shared.errors.error import LongshoreError
from shared.http_client.failures import TRANSIENT_CODES

# Tries of one request, the first included. What needs longer is the import's matter, which waits in the database.
ATTEMPTS = 3
# Seconds before the second try, and the longest before any; doubled each time, plus jitter.
FIRST_WAIT = 0.2
LONGEST_WAIT = 2.0
JITTER = 0.3
# Seconds of Retry-After that are waited for here; a longer one is raised, so that the import parks until then.
LONGEST_RETRY_AFTER = 5.0

T = TypeVar("T")


async def retried(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` returns, asked again a few times where a transient error makes that worth while."""
    try:
        return await ask()
    except LongshoreError as error:
        if wait_before_retry(error) is False:
            raise
        failed = error
    return await _again(ask, failed)


async def _again(ask: Callable[[], Awaitable[T]], failed: LongshoreError) -> T:
    """Go on after a first failure. What stamina costs for each call is spent only here, not on every request."""
    first = [failed]
    # The block has no arguments, so that nothing secret can reach stamina's log of a retry.
    async for attempt in stamina.retry_context(
        on=wait_before_retry,
        attempts=ATTEMPTS,
        timeout=None,
        wait_initial=FIRST_WAIT,
        wait_max=LONGEST_WAIT,
        wait_jitter=JITTER,
    ):
        with attempt:
            if first:
                raise first.pop()
            return await ask()
    raise AssertionError("stamina either returns or raises")


def wait_before_retry(error: Exception) -> bool | float:
    """Tell whether to try again: after the usual wait, after so many seconds, or not at all."""
    if not isinstance(error, LongshoreError) or error.code not in TRANSIENT_CODES:
        return False
    if error.retry_after is None:
        # A rate limit without a date is not made better by knocking again at once.
        return not error.kind.parks
    if error.retry_after > LONGEST_RETRY_AFTER:
        return False
    return error.retry_after + random.uniform(0, JITTER)  # noqa: S311 - jitter, not a secret
