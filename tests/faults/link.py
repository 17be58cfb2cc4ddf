"""A link between two parts of the local stack, into which a test can inject faults."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deploy.local.paths import ROOT
from deploy.local.processes.scratch import Process, Scratch
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server, accepts
from tests.faults.fault import Counts, Fault


class Link(Server):
    """A proxy process in front of a server on loopback: connections to `port` are forwarded to the port `to`."""

    def __init__(self, scratch: Scratch, to: int, *, name: str = "link") -> None:
        super().__init__(scratch, name)
        self.to = to
        self.port = scratch.ports.reserve()
        self._control = scratch.ports.reserve()

    @property
    def host(self) -> str:
        """host:port, as in an image reference."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Do nothing."""

    def launch(self) -> Process:
        """Start the proxy with this interpreter."""
        ports = [str(port) for port in (self.port, self.to, self._control)]
        command = [sys.executable, "-m", "tests.faults.proxy", *ports]
        return self.scratch.spawn(self.name, command, env={"PYTHONPATH": str(ROOT)})

    def probe(self) -> bool:
        """Connect to the control port, which is opened after the other."""
        return accepts(self._control)

    def set(self, *faults: Fault) -> None:
        """Replace the faults, for open and for new connections."""
        self._ask(do="set", faults=[fault.document() for fault in faults])

    def reset(self) -> None:
        """Reset all open connections."""
        self._ask(do="reset")

    def counts(self) -> Counts:
        """Return the counts since the start."""
        return Counts(**self._ask(do="count"))

    @contextmanager
    def injecting(self, *faults: Fault) -> Iterator[None]:
        """Inject these faults while the block runs."""
        self.set(*faults)
        try:
            yield
        finally:
            self.set()

    def _ask(self, **request: object) -> dict[str, Any]:
        with socket.create_connection((LOOPBACK, self._control), PROBE_SECONDS) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
        return answer
