"""Another import's transfer, as an import that waits for it sees it: when the import no longer waits.

Why: docs/decisions/0054.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic

from import_worker.copying.ends import Holder, WaitForTransfer
from import_worker.copying.rates import SourceRate
from shared.oci.descriptor import Descriptor

# An own transfer counts as at least this long: below it, connecting, a busy machine and the interval of the progress
# decide, and to wait costs little. Seconds.
MIN_EXPECTED_SECONDS = 10.0
# A transfer is watched for as long as an own one would take, but not for longer: one that does not move for this time
# ends as stalled. Seconds.
MAX_WATCHED_SECONDS = 60.0
# An import leaves a transfer whose rest takes more than this many times as long as an own transfer of the whole blob:
# two transfers that are about as fast never both transfer a large blob.
SLOWER = 3


class AwaitedTransfer:
    """Watches how fast another import's transfer of a blob moves."""

    def __init__(self, blob: Descriptor, rate: SourceRate, clock: Callable[[], float] = monotonic) -> None:
        self._blob = blob
        self._rate = rate
        self._clock = clock
        self._holder: Holder | None = None
        # Times and offsets, back to the beginning of the time that is watched.
        self._samples: deque[tuple[float, int]] = deque()

    def is_slow(self, seen: WaitForTransfer) -> bool:
        """Record the transfer's progress, and return whether an own transfer can be expected to end much earlier.

        After True, and after a new holder's transfer has begun, it is watched anew.
        """
        if seen.holder != self._holder or (self._samples and seen.offset < self._samples[-1][1]):
            self._samples.clear()
        self._holder = seen.holder
        now = self._clock()
        self._samples.append((now, seen.offset))
        expected = max(self._blob.size / self._rate.expected(self._blob.digest, seen.holder), MIN_EXPECTED_SECONDS)
        watched = min(expected, MAX_WATCHED_SECONDS)
        while len(self._samples) > 1 and now - self._samples[1][0] >= watched:
            self._samples.popleft()
        began, first = self._samples[0]
        if now - began < watched:
            return False
        remaining, moved = self._blob.size - seen.offset, seen.offset - first
        slow = remaining * (now - began) > SLOWER * expected * moved
        if slow:
            self._samples.clear()
        return slow
