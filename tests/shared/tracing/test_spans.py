"""The recording of steps, and that nothing is recorded while tracing is off."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.settings import SettingsError, reading_environment
from shared.tracing import settings
from shared.tracing.otel import OtelTracer
from shared.tracing.settings import read_tracing
from shared.tracing.spans import Kind, entry, record_with, step, traceparent

TRACE, PLACE = 32 * "a", 16 * "b"
PARENT = f"00-{TRACE}-{PLACE}-01"

# Both services' commands, and each kind of step, with tracing off.
SERVICES_WITHOUT_TRACING = """
import sys
import api_service.cli, import_worker.cli
from shared.tracing.spans import Kind, entry, step, traceparent
from shared.tracing.settings import traced
with traced("longshore-api", on=False), entry("request", Kind.SERVER, None), step("plan") as span:
    span.note({"a": 1})
    assert traceparent() is None
print([name for name in sys.modules if name.startswith(("opentelemetry", "google", "requests"))])
"""


@pytest.fixture
def recorded() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    record_with(OtelTracer(provider))
    yield exporter
    record_with(None)
    provider.shutdown()


def by_name(recorded: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in recorded.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


async def test_a_step_belongs_to_what_is_under_way_in_its_task(recorded: InMemorySpanExporter) -> None:
    """This includes tasks that are started there; two concurrent entries do not mix."""

    async def work(name: str) -> None:
        with entry(name, Kind.CONSUMER, None):
            await asyncio.gather(plan(f"{name} left"), plan(f"{name} right"))

    async def plan(name: str) -> None:
        with step(name):
            await asyncio.sleep(0.01)

    await asyncio.gather(work("one"), work("two"))
    spans = by_name(recorded)
    for name in ("one", "two"):
        root = spans[name].context
        assert spans[name].parent is None
        for side in ("left", "right"):
            assert parent_of(spans[f"{name} {side}"]) == root.span_id


def test_an_entry_goes_on_with_a_trace_from_elsewhere(recorded: InMemorySpanExporter) -> None:
    """It also returns its position, for the next process."""
    with entry("request", Kind.SERVER, PARENT):
        place = traceparent()
    (span,) = recorded.get_finished_spans()
    assert (f"{span.context.trace_id:032x}", f"{parent_of(span):016x}") == (TRACE, PLACE)
    assert place == f"00-{TRACE}-{span.context.span_id:016x}-01"


@pytest.mark.parametrize("parent", ["nonsense", "00-0-0-00", "", f"{PARENT}-more", "x" * 10_000])
def test_a_parent_that_is_none_begins_a_trace(recorded: InMemorySpanExporter, parent: str) -> None:
    """The header of a client may contain anything."""
    with entry("request", Kind.SERVER, parent):
        pass
    assert recorded.get_finished_spans()[0].parent is None


def test_a_trace_that_is_not_sampled_stays_so(recorded: InMemorySpanExporter) -> None:
    with entry("request", Kind.SERVER, f"00-{TRACE}-{PLACE}-00"), step("plan"):
        place = traceparent() or ""
    assert place.startswith(f"00-{TRACE}-")
    assert place.endswith("-00")
    assert recorded.get_finished_spans() == ()


def test_a_step_outside_of_everything_is_not_recorded(recorded: InMemorySpanExporter) -> None:
    """The patrol's endless requests would each be a trace."""
    with step("HEAD manifest", kind=Kind.CLIENT) as span:
        span.note({"http.response.status_code": 200})
    assert recorded.get_finished_spans() == ()


def test_an_open_answer_has_no_steps_of_its_own(recorded: InMemorySpanExporter) -> None:
    """An upload that is fed from a download is its sibling."""
    with entry("attempt", Kind.CONSUMER, None), step("GET blob", kind=Kind.CLIENT), step("PATCH upload"):
        pass
    spans = by_name(recorded)
    assert parent_of(spans["PATCH upload"]) == spans["attempt"].context.span_id


def test_our_own_error_is_reported_with_its_code(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(LongshoreError), entry("attempt", Kind.CONSUMER, None):
        raise LongshoreError(Code.SOURCE_NOT_FOUND, "There is no such tag.")
    (span,) = recorded.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "source_not_found"
    assert (span.status.is_ok, span.status.description) == (False, "There is no such tag.")


def test_of_another_exception_only_the_kind_is_reported(recorded: InMemorySpanExporter) -> None:
    """Its text may contain secrets, for example an address with a password."""
    with pytest.raises(OSError, match="hunter2"), entry("attempt", Kind.CONSUMER, None):
        raise OSError("amqp://longshore:hunter2@host refused")
    (span,) = recorded.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "OSError"
    assert not span.status.is_ok
    assert "hunter2" not in span.to_json()


async def test_a_cancelled_step_has_not_failed(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(asyncio.CancelledError), entry("attempt", Kind.CONSUMER, None):
        raise asyncio.CancelledError
    (span,) = recorded.get_finished_spans()
    assert span.status.is_unset
    assert (span.attributes or {})["longshore.cancelled"]


def test_without_tracing_nothing_of_the_library_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVICES_WITHOUT_TRACING], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


ENDPOINT = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ([], False),
        ([ENDPOINT], True),
        ([("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")], True),
        ([("OTEL_TRACES_EXPORTER", "otlp")], True),
        ([ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], False),
        ([ENDPOINT, ("OTEL_SDK_DISABLED", "true")], False),
        ([("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], False),
    ],
)
def test_tracing_is_on_where_a_collector_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: list[tuple[str, str]], *, on: bool
) -> None:
    assert read(monkeypatch, *environment) is on


def test_a_protocol_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_PROTOCOL"):
        read(monkeypatch, ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"))


def test_without_the_extra_a_service_that_is_to_trace_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package to install."""
    monkeypatch.setattr(settings, "_LIBRARY", "a_library_that_is_not_there")
    with pytest.raises(SettingsError, match=r"pip install 'longshore\[tracing\]'"):
        read(monkeypatch, ENDPOINT)
    assert read(monkeypatch, ("OTEL_SDK_DISABLED", "true")) is False


def read(monkeypatch: pytest.MonkeyPatch, *environment: tuple[str, str]) -> bool:
    for name, value in environment:
        monkeypatch.setenv(name, value)
    with reading_environment() as env:
        return read_tracing(env)
