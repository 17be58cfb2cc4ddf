"""Turns tracing on: off unless the standard OTEL_* variables name a collector."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from environs import FileAwareEnv
from marshmallow import validate

_LIBRARY = "opentelemetry"
_PROTOCOL = "http/protobuf"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_OTLP, _NO_EXPORTER = "otlp", "none"


def read_tracing(env: FileAwareEnv) -> bool:
    """Return whether to trace; OpenTelemetry's own library reads the other variables.

    Raises ValueError where tracing is on and the library is not installed.
    """
    endpoints = [env.str(name, "") for name in _ENDPOINTS]
    exporter = env.str("OTEL_TRACES_EXPORTER", "", validate=validate.OneOf(("", _OTLP, _NO_EXPORTER)))
    wanted = exporter != _NO_EXPORTER and (any(endpoints) or exporter == _OTLP)
    on = wanted and not env.bool("OTEL_SDK_DISABLED", default=False)
    for name in _PROTOCOLS:
        env.str(name, _PROTOCOL, validate=validate.OneOf((_PROTOCOL,)) if on else None)
    if on and find_spec(_LIBRARY) is None:
        raise ValueError("OTEL_*: tracing needs OpenTelemetry: pip install 'longshore[tracing]'")
    return on


@contextmanager
def traced(service: str, *, on: bool) -> Iterator[None]:
    """Record the steps inside the block, under this name unless OTEL_SERVICE_NAME gives another."""
    if not on:
        yield
        return
    from shared.tracing.otel import exporting  # noqa: PLC0415 - an optional dependency, loaded only when it is used

    with exporting(service):
        yield
