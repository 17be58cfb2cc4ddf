"""One import is one trace: through the API, the queue, the workers and the registries."""

import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes.server import LOOPBACK, new_password
from deploy.local.stack import Worker, synthetic_image
from tests.shared.tracing.receiver import ReceivedSpan, Receiver
from tests.system.conftest import POLL_SECONDS, TIMEOUT, Product

pytestmark = pytest.mark.xdist_group("system")

REQUEST = "POST /api/v1/images:import"
REPORT = "PUT /api/v1/images:import/{name}/progress"
# The delay between the end of a span and its export. Milliseconds.
FLUSH = "200"


@pytest.fixture
def receiver(product: Product) -> Iterator[Receiver]:
    """A trace collector for the product, with a password as for a hosted collector."""
    api = product.stack.api
    before = dict(api.settings)
    with Receiver().running() as receiver:
        api.settings |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={new_password()}",
            "OTEL_BSP_SCHEDULE_DELAY": FLUSH,
        }
        api.restart()
        yield receiver
        api.settings = before
        api.restart()


def post(product: Product, body: object, headers: Mapping[str, str]) -> Any:
    """Start an import with the client's headers; return the headers and the body of the answer."""
    connection = http.client.HTTPConnection(LOOPBACK, product.stack.api.port, timeout=TIMEOUT)
    given = {"Authorization": f"Bearer {product.stack.user_token}", "Content-Type": "application/json", **headers}
    try:
        connection.request("POST", "/api/v1/images:import", json.dumps(body), given)
        response = connection.getresponse()
        return response.headers, json.loads(response.read())
    finally:
        connection.close()


def wait(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < limit
        time.sleep(POLL_SECONDS)


def new_trace() -> tuple[str, str, str]:
    """Return a trace's id, a span's id, and the header that names both."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-01"


@contextmanager
def traced_import(product: Product, receiver: Receiver, trace: str) -> Iterator[list[ReceivedSpan]]:
    """Yield a list that contains the spans of the trace when the block ends.

    It is complete if the parent of every span and the API's span of every report have arrived: each process sends its
    own spans.
    """
    spans: list[ReceivedSpan] = []
    yield spans

    def complete() -> bool:
        spans[:] = receiver.of(trace)
        known = {span.id for span in spans}
        taken = {span.parent for span in named(spans, REPORT)}
        return (
            {REQUEST, "attempt", "report"} <= {span.name for span in spans}
            and all(span.parent in known for span in spans if span.name != REQUEST)
            and all(span.id in taken for span in named(spans, "report"))
        )

    wait(complete)


def named(spans: list[ReceivedSpan], name: str) -> list[ReceivedSpan]:
    return [span for span in spans if span.name == name]


def test_an_import_is_one_trace_from_the_request_to_the_registries(product: Product, receiver: Receiver) -> None:
    """Each span is below its cause; blob spans have the kind of transfer, requests have host and status."""
    image = synthetic_image("traced", [300_000, 20_000], platforms=("linux/amd64",))
    repository = product.push(image)
    trace, ours, header = new_trace()
    request_id = f"trace-{secrets.token_hex(4)}"
    with traced_import(product, receiver, trace) as spans, product.workers() as (worker,):
        headers, answer = post(
            product, product.request_for(repository), {"traceparent": header, "X-Request-ID": request_id}
        )
        product.ready(answer["imageId"])
    by_id = {span.id: span for span in spans}

    def above(span: ReceivedSpan) -> list[str]:
        return [by_id[span.parent].name, *above(by_id[span.parent])] if span.parent in by_id else []

    (request,) = named(spans, REQUEST)
    assert (request.service, request.parent) == ("longshore-api", ours)
    assert request.values["longshore.import"] == answer["name"]
    assert request.values["longshore.request_id"] == headers["X-Request-ID"] == request_id
    (attempt,) = named(spans, "attempt")
    assert attempt.service == "longshore-worker"
    assert above(attempt) == ["claim import", "publish longshore.imports", REQUEST]
    for name in ("plan", "blob", "put manifest", "report"):
        assert {span.parent for span in named(spans, name)} == {attempt.id}, name
    blobs = {span.values["oci.digest"]: span.values for span in named(spans, "blob")}
    assert set(blobs) == {blob.digest for blob in image.blobs}
    assert all(blobs[blob.digest]["longshore.bytes"] == blob.size for blob in image.blobs)
    assert {values["longshore.transfer"] for values in blobs.values()} == {"copied"}
    assert {above(span)[0] for span in named(spans, REPORT)} == {"report"}
    assert not [span for span in spans if span.failed]
    check_registry_requests(product, spans, above)
    check_no_secret(product, receiver, spans)
    check_logs(product, worker, answer["name"], request_id)


def check_registry_requests(
    product: Product, spans: list[ReceivedSpan], above: Callable[[ReceivedSpan], list[str]]
) -> None:
    requests = [span for span in spans if "server.address" in span.values]
    hosts = {product.stack.source.host, product.stack.target.host}
    assert {span.values["server.address"] for span in requests} == hosts
    assert all(span.values["http.response.status_code"] for span in requests)
    assert {above(span)[0] for span in named(spans, "GET blob") + named(spans, "PATCH upload")} <= {"blob", "plan"}
    assert {above(span)[0] for span in named(spans, "PUT pushed_manifest")} == {"put manifest"}
    assert REQUEST in {above(span)[0] for span in named(spans, "HEAD manifest")}


def check_no_secret(product: Product, receiver: Receiver, spans: list[ReceivedSpan]) -> None:
    """The spans contain neither a password nor a token, nor the query of an upload URL."""
    (password,) = receiver.authorization
    assert password.startswith("localpassword")
    text = repr(spans)
    for secret in (product.stack.source.password, product.stack.user_token, product.stack.worker_token, "_state"):
        assert secret
        assert secret not in text


def check_logs(product: Product, worker: Worker, name: str, request_id: str) -> None:
    """Every line of the worker's log about the import, and of the API's about its reports, has the request id."""
    ours = [line for line in lines(worker.name, product) if line.get("import_name") == name]
    assert {line["event"] for line in ours} >= {"import started", "import ready"}
    assert {line["request_id"] for line in ours} == {request_id}
    reports = [line for line in lines("api", product) if line.get("import_name") == name and "route" in line]
    assert {line["method"] for line in reports} == {"POST", "PUT"}
    assert {line["request_id"] for line in reports} == {request_id}


def lines(process: str, product: Product) -> list[dict[str, Any]]:
    """Return the lines of a process's log, which are JSON objects."""
    text = Path(product.stack.scratch.folder / f"{process}.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_later_attempt_of_another_worker_belongs_to_the_same_trace(product: Product, receiver: Receiver) -> None:
    """The first attempt fails with the source's error; the second imports the image."""
    repository = product.push(synthetic_image("traced-twice", [20_000], platforms=("linux/amd64",)))
    trace, _, header = new_trace()
    source = product.stack.source
    with traced_import(product, receiver, trace) as spans:
        _, answer = post(product, product.request_for(repository), {"traceparent": header})
        source.stop()
        try:
            with product.workers(WORKER_NAME="first"):
                product.wait(answer["imageId"], states={"waiting"})
        finally:
            source.start()
        with product.workers(WORKER_NAME="second"):
            product.ready(answer["imageId"])
    first, second = sorted(named(spans, "attempt"), key=lambda span: span.values["longshore.attempt"])
    assert (first.failed, first.values["error.type"]) == (True, "source_unreachable")
    assert "cannot be reached" in first.detail or source.host in first.detail
    assert not second.failed
    claims = {span.id: span.values["longshore.worker"] for span in named(spans, "claim import")}
    assert [claims[first.parent], claims[second.parent]] == ["first", "second"]
