"""Sends steps to a collector as OpenTelemetry spans. The only module that imports the library, which is optional."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors.error import LongshoreError
from shared.model.version import product_version
from shared.tracing.spans import NO_SPAN, TRACEPARENT, Kind, Span, Values, record_with

# The time that a stopping process gives its last spans to be sent. Seconds; the library itself would wait for thirty.
FLUSH_TIMEOUT = 3.0

_KINDS = {kind: SpanKind[kind.name] for kind in Kind}
_PROPAGATOR = TraceContextTextMapPropagator()
# This logger quotes malformed parts of OTEL_EXPORTER_OTLP_HEADERS, which contains tokens.
_LOGS_SECRETS = "opentelemetry.util.re"


@contextmanager
def exporting(service: str) -> Iterator[None]:
    """Send the steps of the block, from a thread, as the library's own OTEL_* variables configure."""
    logging.getLogger(_LOGS_SECRETS).setLevel(logging.CRITICAL)
    known = Resource({SERVICE_NAME: service, SERVICE_VERSION: product_version()})
    resource = Resource.create().merge(known).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record_with(OtelTracer(provider))
    try:
        yield
    finally:
        record_with(None)
        # In a daemon thread: an unreachable collector must not delay the stop.
        flushing = threading.Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_TIMEOUT)


class OtelTracer:
    """Implements `spans.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("longshore", product_version())

    def entry(self, name: str, kind: Kind, parent: str | None, values: Values) -> AbstractContextManager[Span]:
        context = _PROPAGATOR.extract({TRACEPARENT: parent} if parent else {}, Context())
        return self._span(name, kind, values, context)

    def step(self, name: str, kind: Kind, values: Values) -> AbstractContextManager[Span]:
        if not trace.get_current_span().get_span_context().is_valid:
            return NO_SPAN
        return self._span(name, kind, values, None)

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get(TRACEPARENT)

    @contextmanager
    def _span(self, name: str, kind: Kind, values: Values, context: Context | None) -> Iterator[Span]:
        span = self._tracer.start_span(name, context, _KINDS[kind], values)
        recorded = _OtelSpan(span)
        try:
            # Steps that run while a response is open are not part of its request.
            with nullcontext() if kind is Kind.CLIENT else _current(span):
                yield recorded
        except BaseException as error:
            _record_error(recorded, error)
            raise
        finally:
            span.end()


class _OtelSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, values: Values) -> None:
        self._span.set_attributes(values)

    def fail(self, code: str, detail: str = "") -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(StatusCode.ERROR, detail or code)


def _current(span: trace.Span) -> AbstractContextManager[object]:
    # By default the library records an exception's text and traceback, which may contain secrets.
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def _record_error(span: Span, error: BaseException) -> None:
    """Record why the step failed: our own errors contain no secret; of other exceptions, only the type is recorded."""
    if isinstance(error, LongshoreError):
        span.fail(error.code, error.detail)
    elif isinstance(error, asyncio.CancelledError | GeneratorExit):
        span.note({"longshore.cancelled": True})
    else:
        span.fail(type(error).__name__)
