"""A collector of traces that implements the needed part of OTLP over HTTP."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """A received span; `parent` is empty at the root."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    values: Mapping[str, Any]
    failed: bool
    detail: str


class Receiver:
    """Keeps the spans that it receives. `authorization` has the headers of their requests."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.authorization: set[str] = set()
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        """Listen on a free port."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self.path, self.headers.get("Authorization", ""), content)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            try:
                yield self
            finally:
                server.shutdown()

    def take(self, path: str, authorization: str, content: bytes) -> None:
        """Read one export."""
        assert path == "/v1/traces"
        self.authorization.add(authorization)
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            service = str(_values(resource.resource.attributes)["service.name"])
            self.spans += [_received_span(service, span) for scope in resource.scope_spans for span in scope.spans]

    def of(self, trace: str) -> list[ReceivedSpan]:
        """Return the spans of one trace."""
        return [span for span in list(self.spans) if span.trace == trace]


def _received_span(service: str, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        values=_values(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        detail=span.status.message,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
