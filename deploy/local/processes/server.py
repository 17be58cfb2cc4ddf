"""The base class of the servers of the local stack: start, stop, readiness."""

from __future__ import annotations

import abc
import base64
import contextlib
import os
import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING, ClassVar, Self

from deploy.local.processes.scratch import LocalStackError, Process, Scratch

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = "127.0.0.1"

# Seconds for one readiness probe. A running server on loopback answers in milliseconds.
PROBE_SECONDS = 2.0

POLL_SECONDS = 0.05
PASSWORD_BYTES = 16
KEY_BYTES = 32

# The prefix of every password and every key, so that a test can recognize one in a log.
PASSWORD_MARK = "localpassword"  # noqa: S105 - not a password.
KEY_MARK = "longshorekey"


class Server(abc.ABC):
    """A server process with its own port and data, which survive a restart.

    Use it as a context manager, which kills the server at the end because its data are discarded, or call start() and
    stop(). The scratch folder's guardian ends it in any case.
    """

    # Seconds to become ready and to stop on a busy machine; then an error is raised, or the process is killed.
    start_seconds: ClassVar[float] = 60.0
    stop_seconds: ClassVar[float] = 20.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, scratch: Scratch, name: str) -> None:
        self.scratch = scratch
        self.name = name
        self.process: Process | None = None
        self._prepared = False

    @abc.abstractmethod
    def prepare(self) -> None:
        """Write the configuration and the data; called once, before the first start."""

    @abc.abstractmethod
    def launch(self) -> Process:
        """Start the process."""

    @abc.abstractmethod
    def probe(self) -> bool:
        """Return whether the server is ready; OSError counts as not ready."""

    @property
    def pid(self) -> int:
        """The id of the process that does the work: the one to stop, freeze or kill in an experiment."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.alive

    def start(self) -> Self:
        """Start the server and return when it is ready."""
        if self.alive:
            raise LocalStackError(f"{self.name} runs already")
        self.prepare_once()
        self.process = self.launch()
        self.wait_ready()
        return self

    def prepare_once(self) -> None:
        """Prepare, unless that is done; for callers that need the prepared data before the start."""
        if not self._prepared:
            self.prepare()
            self._prepared = True

    def wait_ready(self) -> None:
        """Return when the server answers; LocalStackError if it has ended or takes too long."""
        process = self._running()
        limit = time.monotonic() + self.start_seconds
        while not answers(self.probe):
            if (status := process.status()) is not None:
                raise process.failure(f"ended with status {status} before it was ready")
            if time.monotonic() > limit:
                raise process.failure(f"not ready after {self.start_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop the server with its stop signal, and with SIGKILL if that takes too long."""
        if self.process is None:
            return
        # Before the signal: RabbitMQ removes its pid file soon after it.
        self.thaw()
        self.process.send(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds)
        except LocalStackError:
            self.process.kill()

    def thaw(self) -> None:
        """Resume the process if SIGSTOP has frozen it."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process, like a crash."""
        self._running().kill()

    def restart(self) -> None:
        """Stop and start the server, on the same port with the same data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Kill the server, because its data are no longer needed."""
        if self.alive:
            self.kill()

    def _running(self) -> Process:
        if self.process is None:
            raise LocalStackError(f"{self.name} was not started")
        return self.process


def answers(probe: Callable[[], bool]) -> bool:
    """Return whether a probe succeeds; a refused or broken connection counts as failure."""
    try:
        return probe()
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Return whether a server accepts connections on a loopback port."""
    with socket.create_connection((LOOPBACK, port), PROBE_SECONDS):
        return True


def new_password() -> str:
    """Return a random password that needs no quoting in a URL, a shell or a configuration file."""
    return PASSWORD_MARK + secrets.token_hex(PASSWORD_BYTES)


def new_key() -> str:
    """Return a random Fernet key: 32 bytes in URL-safe base64."""
    marked = base64.urlsafe_b64decode(KEY_MARK)
    return base64.urlsafe_b64encode(marked + secrets.token_bytes(KEY_BYTES - len(marked))).decode()
