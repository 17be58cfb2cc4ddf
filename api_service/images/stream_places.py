"""Counts the open event streams of this process, in all and of each user."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.owner import Owner

# Open streams of one process: each occupies a connection, and some memory. A stream above the limit ends after its
# first event, and its reader reconnects later.
MAX_STREAMS = 500
# Open streams of one user in one process: a tenth of all, and more than a person's windows or a pipeline's jobs need.
MAX_STREAMS_PER_USER = 50
# Sent as Retry-After above the limit of a user: streams last minutes. Seconds.
RETRY_AFTER = 10.0


class StreamPlaces:
    """The places of event streams."""

    def __init__(self) -> None:
        self._taken: Counter[Owner] = Counter()

    @property
    def taken(self) -> int:
        """The number of open streams."""
        return self._taken.total()

    @contextmanager
    def reserve(self, owner: Owner) -> Iterator[bool]:
        """Count a stream while it is open; yields whether it is within the limit of the process.

        Raises `stream_limit_reached` for a user who has as many as he may.
        """
        if self._taken[owner] >= MAX_STREAMS_PER_USER:
            raise LongshoreError(
                Code.STREAM_LIMIT_REACHED,
                f"You have {MAX_STREAMS_PER_USER} open event streams, which is the limit of a user.",
                retry_after=RETRY_AFTER,
            )
        self._taken[owner] += 1
        try:
            yield self.taken <= MAX_STREAMS
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]
