"""The error of an attempt as its worker reports it: in the form that the API accepts. Pure."""

import math

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_DETAIL_LENGTH, ReportedError

# Ends a text that was cut.
CUT = "…"


def reported_error(error: LongshoreError) -> ReportedError:
    """Return the error; its detail may have any text of a registry, its wait any number."""
    wait = error.retry_after
    if wait is not None and not (math.isfinite(wait) and wait >= 0):
        wait = None
    return ReportedError(code=error.code, detail=reported_text(error.detail), retry_after=wait)


def unknown_error(error: LongshoreError, refused: LongshoreError) -> ReportedError:
    """Return what to report if the API refused the error itself: one of an older release does not know its code.

    Whether another attempt makes sense stays as it is.
    """
    code = Code.INTERNAL_ERROR if error.kind.retryable else Code.API_REFUSED
    return ReportedError(code=code, detail=reported_text(f"{error} {refused.detail}"))


def reported_text(text: str) -> str:
    """Return the text without what the API refuses, NUL and halves of surrogate pairs, cut to its limit."""
    storable = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
    if len(storable) <= MAX_DETAIL_LENGTH:
        return storable
    return storable[: MAX_DETAIL_LENGTH - len(CUT)] + CUT
