"""The time between the wish that this process end and its end, in which others learn to leave it alone."""

from shared.runtime.readiness import Readiness


class Draining:
    """Says no to new work while it is still done: whoever spreads requests learns of a stop only after it began."""

    def __init__(self) -> None:
        self._readiness: Readiness | None = None
        self.began = False
        """True once no connection is to be kept for another request."""

    def tell(self, readiness: Readiness) -> None:
        """Take what is asked whether this process is ready."""
        self._readiness = readiness

    def begin(self) -> None:
        """Be unready, and let every answer end its connection, so that the next request goes elsewhere."""
        self.began = True
        if self._readiness:
            self._readiness.stop()
