"""Draining: a stopping instance still answers while load balancers learn to send no more requests."""

from shared.runtime.readiness import Readiness


class Draining:
    """Reports the instance as not ready and closes connections, while requests are still answered.

    Load balancers learn of a stop only after it has begun. Why: docs/decisions/0029.
    """

    def __init__(self) -> None:
        self._readiness: Readiness | None = None
        self.began = False
        """True once no connection is kept alive for another request."""

    def attach(self, readiness: Readiness) -> None:
        """Take the readiness that GET /readyz reports."""
        self._readiness = readiness

    def begin(self) -> None:
        """Report not ready, and close every connection after its answer, so that clients go to another instance."""
        self.began = True
        if self._readiness:
            self._readiness.stop()
