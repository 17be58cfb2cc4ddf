"""How long to wait before another try of a blob."""

import asyncio
import random

from shared.errors.error import LongshoreError

# Before a second try; doubled with each further one, and jittered so that layers do not return in step. Seconds.
FIRST_DELAY = 0.5
# A wait longer than this is the import's, not the blob's: it would keep a worker's slot for nothing. Seconds.
MAX_DELAY = 10.0


async def wait_or_raise(error: LongshoreError, attempt: int) -> None:
    """Sleep before the next try, or raise the error where another try makes no sense here."""
    delay = error.retry_after or FIRST_DELAY * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
    if not error.kind.retryable or error.kind.parks or delay > MAX_DELAY:
        raise error
    await asyncio.sleep(delay)
