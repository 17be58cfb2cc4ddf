"""The one place where a request is retried."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import stamina
from multidict import CIMultiDictProxy

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.failures import TRANSIENT_CODES
from shared.http_client.unreadable import reads_hint

# Attempts of one request, the first included. A longer outage is the import's concern, which waits in the database.
ATTEMPTS = 3
# Seconds before the second attempt, and the longest before any; doubled each time, plus jitter.
FIRST_WAIT = 0.2
LONGEST_WAIT = 2.0
JITTER = 0.3
# Seconds of Retry-After that are waited here; a longer one is raised, so that the import parks until then.
LONGEST_RETRY_AFTER = 5.0
# Seconds; a longer Retry-After is taken for a mistake and cut.
MAX_RETRY_AFTER = 24 * 3600.0

# Characters of a Retry-After that are read; a date has thirty.
MAX_RETRY_AFTER_LENGTH = 64

T = TypeVar("T")


async def retried(send: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `send`, which is called again a few times after a transient error."""
    try:
        return await send()
    except LongshoreError as error:
        if wait_before_retry(error) is False:
            raise
        failed = error
    return await _retry(send, failed)


async def _retry(send: Callable[[], Awaitable[T]], failed: LongshoreError) -> T:
    """Continue after a first failure. stamina's cost per call is paid only here, not on every request."""
    first = [failed]
    # The block has no arguments, so that no secret can reach stamina's log of a retry.
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
            return await send()
    raise AssertionError("stamina either returns or raises")


def wait_before_retry(error: Exception) -> bool | float:
    """Return True to retry after the usual wait, a number to retry after so many seconds, False not to retry."""
    if not isinstance(error, LongshoreError) or error.code not in TRANSIENT_CODES:
        return False
    if error.code is Code.SOURCE_STALLED:
        # Another minute here would hold a slot; the import's own retry holds none while it waits.
        return False
    if error.retry_after is None:
        # An immediate retry cannot help against a rate limit without a date.
        return not error.kind.parks
    if error.retry_after > LONGEST_RETRY_AFTER:
        return False
    return error.retry_after + random.uniform(0, JITTER)  # noqa: S311 - jitter, not a secret


@reads_hint
def retry_after(headers: CIMultiDictProxy[str]) -> float | None:
    """Return Retry-After in seconds from now: it is a number of seconds or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After", "")[:MAX_RETRY_AFTER_LENGTH].strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER)
