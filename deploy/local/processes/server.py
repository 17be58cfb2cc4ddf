"""What the servers of the local stack have in common: start, stop, be ready."""

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

# Seconds for one readiness probe; a probe of a live server on loopback takes milliseconds.
PROBE_SECONDS = 2.0

POLL_SECONDS = 0.05
PASSWORD_BYTES = 16
KEY_BYTES = 32

# How every password and every key begins, so that one can be recognised where it should not be: in a log.
PASSWORD_MARK = "localpassword"  # noqa: S105 - no password by itself.
KEY_MARK = "longshorekey"


class Server(abc.ABC):
    """A server process with its own port and data, which survive a restart.

    Use it as a context manager, whose end is quick because its data go too, or call start() and
    stop(). The scratch folder ends it in any case.
    """

    # Seconds to become ready on a busy machine, and to stop when asked; after that it is an error.
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
        """Write configuration and data, once, before the first start."""

    @abc.abstractmethod
    def launch(self) -> Process:
        """Start the process."""

    @abc.abstractmethod
    def probe(self) -> bool:
        """Ask the server itself whether it is ready; OSError counts as no."""

    @property
    def pid(self) -> int:
        """The process that does the work: the one to stop, freeze or kill in an experiment."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.alive

    def start(self) -> Self:
        """Start it and return when it is ready."""
        if self.alive:
            raise LocalStackError(f"{self.name} runs already")
        self.prepare_once()
        self.process = self.launch()
        self.wait_ready()
        return self

    def prepare_once(self) -> None:
        """Prepare, unless that is done: for whoever wants it done before the start."""
        if not self._prepared:
            self.prepare()
            self._prepared = True

    def wait_ready(self) -> None:
        """Return when the server answers; LocalStackError when it ended or takes too long."""
        process = self._running()
        limit = time.monotonic() + self.start_seconds
        while not answers(self.probe):
            if (status := process.status()) is not None:
                raise process.failure(f"ended with status {status} before it was ready")
            if time.monotonic() > limit:
                raise process.failure(f"not ready after {self.start_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop it in its orderly way, and by force when that takes too long."""
        if self.process is None:
            return
        # First: what RabbitMQ tells its process id by is gone soon after the signal.
        self.thaw()
        self.process.send(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds)
        except LocalStackError:
            self.process.kill()

    def thaw(self) -> None:
        """Let it go on, if somebody has frozen it with SIGSTOP."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._running().kill()

    def restart(self) -> None:
        """Stop and start, on the same port with the same data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """End it for good, the quick way: its data are of no use any more."""
        if self.alive:
            self.kill()

    def _running(self) -> Process:
        if self.process is None:
            raise LocalStackError(f"{self.name} was not started")
        return self.process


def answers(probe: Callable[[], bool]) -> bool:
    """Tell whether a probe succeeds; a refused or broken connection is an ordinary no."""
    try:
        return probe()
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    with socket.create_connection((LOOPBACK, port), PROBE_SECONDS):
        return True


def new_password() -> str:
    """Return a random password that needs no quoting in a URL, a shell or a configuration file."""
    return PASSWORD_MARK + secrets.token_hex(PASSWORD_BYTES)


def new_key() -> str:
    """Return a random Fernet key: 32 bytes in URL-safe base64."""
    marked = base64.urlsafe_b64decode(KEY_MARK)
    return base64.urlsafe_b64encode(marked + secrets.token_bytes(KEY_BYTES - len(marked))).decode()
