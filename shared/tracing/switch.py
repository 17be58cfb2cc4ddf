"""Turns the recording of steps on."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def traced(service: str, *, on: bool) -> Iterator[None]:
    """Record the steps inside the block, under this name unless OTEL_SERVICE_NAME gives another."""
    if not on:
        yield
        return
    from shared.tracing.otel import exporting  # noqa: PLC0415 - an extra, which costs nothing where it is not used

    with exporting(service):
        yield
