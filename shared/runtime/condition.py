"""Whether something that may come and go is there, logged when that changes and not at every try."""

import structlog

from shared.errors.error import LongshoreError

_logger = structlog.get_logger(__name__)


class Condition:
    """The state of one part that this process depends on. It counts as down until it was up once."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._trouble: str | None = "not yet connected"
        self._logged: bool | None = None

    @property
    def trouble(self) -> str | None:
        """Why the part is down, None while it is up."""
        return self._trouble

    def up(self) -> None:
        """Note that the part works."""
        self._trouble = None
        self._log(up=True)

    def down(self, reason: BaseException) -> None:
        """Note that the part fails; the first reason of a row is logged."""
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
    """Return an exception as one short line for a log."""
    if isinstance(error, LongshoreError):
        return f"{error} ({describe(error.__cause__)})" if error.__cause__ else str(error)
    return f"{type(error).__name__}: {error}".rstrip(": ")
