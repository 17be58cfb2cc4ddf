"""Tracks whether a part that this process depends on is available, and logs the changes, not every attempt."""

import structlog

from shared.errors.error import LongshoreError

_logger = structlog.get_logger(__name__)


class Condition:
    """The state of one part. It counts as down until it has been up once."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._trouble: str | None = "not yet connected"
        self._logged: bool | None = None

    @property
    def trouble(self) -> str | None:
        """The reason why the part is down; None while it is up."""
        return self._trouble

    def up(self) -> None:
        """Record that the part works."""
        self._trouble = None
        self._log(up=True)

    def down(self, reason: BaseException) -> None:
        """Record that the part fails; of consecutive failures, only the first reason is logged."""
        self._trouble = describe(reason)
        self._log(up=False)

    def _log(self, *, up: bool) -> None:
        if self._logged == up:
            return
        self._logged = up
        if up:
            _logger.info("part.up", part=self._part)
        else:
            _logger.warning("part.down", part=self._part, reason=self._trouble)


def describe(error: BaseException) -> str:
    """Return an exception as one short line for the log."""
    if isinstance(error, LongshoreError):
        return f"{error} ({describe(error.__cause__)})" if error.__cause__ else str(error)
    return f"{type(error).__name__}: {error}".rstrip(": ")
