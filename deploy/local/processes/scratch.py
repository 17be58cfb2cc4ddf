"""A folder and a set of processes that are gone when their owner is."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deploy.local.processes import guardian
from deploy.local.processes.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Where scratch folders are made, when the user wants them elsewhere than in /var/tmp: /tmp is
# memory on many machines, and registries hold gigabytes.
BASE_VARIABLE = "LONGSHORE_SCRATCH_BASE"

# With these, coverage measures a process from its start (`make coverage`).
COVERAGE_VARIABLES = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
# The environment of the servers. They inherit nothing else from the caller's shell.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    **{name: os.environ[name] for name in COVERAGE_VARIABLES if name in os.environ},
}

# Seconds for the guardian to clear away what it finds and stop what it holds, at most; each of its
# own limits is shorter.
GUARDIAN_SECONDS = 60.0

POLL_SECONDS = 0.02
TAIL_LINES = 30


class LocalStackError(RuntimeError):
    """A part of the local stack did not do what it should; the message holds its log's end."""


class Process:
    """A process that a guardian runs."""

    def __init__(self, scratch: Scratch, name: str, pid: int, log: Path) -> None:
        self._scratch = scratch
        self.name = name
        self.pid = pid
        self.log = log

    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        status = self._scratch.ask(do="status", pid=self.pid)["status"]
        return None if status is None else int(status)

    @property
    def alive(self) -> bool:
        """Whether it runs, stopped by SIGSTOP or not."""
        return self.status() is None

    def send(self, number: signal.Signals) -> None:
        """Signal it; nothing happens when it has ended."""
        self._scratch.ask(do="signal", pid=self.pid, signal=int(number))

    def wait(self, seconds: float) -> int:
        """Wait for its end and return the exit status; LocalStackError when it takes longer."""
        limit = time.monotonic() + seconds
        while (status := self.status()) is None:
            if time.monotonic() > limit:
                raise self.failure(f"still runs after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.send(signal.SIGKILL)
        self.wait(guardian.KILL_SECONDS)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def failure(self, what: str) -> LocalStackError:
        """Make an error that shows the log's end."""
        return LocalStackError(f"{self.name} (pid {self.pid}) {what}\n{self.log}:\n{self.tail()}")


class Scratch:
    """A private folder, reserved ports and processes, all ended together.

    Use it as a context manager. Everything started through it ends when the block does, and also
    when this process is killed: a guardian (see guardian.py) watches over it from outside.
    """

    folder: Path

    def __init__(self) -> None:
        self.ports = Ports()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        base = base_folder()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", guardian.__file__, str(base)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._answers = self._control.makefile("rb")
        try:
            self.folder = Path(self._answer()["folder"])
        except LocalStackError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._control.close()
        self._guardian.wait(GUARDIAN_SECONDS)
        self.ports.close()

    @property
    def guardian_pid(self) -> int:
        """The process that clears up after us."""
        return self._guardian.pid

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send the guardian one request; LocalStackError when it refuses or is gone."""
        with self._lock, uninterrupted():
            try:
                self._control.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise LocalStackError(f"the guardian is gone: {error}") from error
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise LocalStackError("the guardian is gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LocalStackError(answer["error"])
        return answer

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        """Start a program; its output goes to NAME.log in the folder.

        `env` is added to a clean environment. `stop_signal` is what asks it to end, when the whole
        folder goes away.
        """
        log = self.folder / f"{name}.log"
        answer = self.ask(
            do="spawn",
            argv=[str(part) for part in argv],
            env=CLEAN_ENVIRONMENT | {"HOME": str(cwd or self.folder)} | dict(env or {}),
            user=user,
            cwd=str(cwd or self.folder),
            log=str(log),
            stop_signal=int(stop_signal),
        )
        return Process(self, name, answer["pid"], log)

    def run(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        seconds: float,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Run a program to its end; LocalStackError with its output unless it succeeds."""
        process = self.spawn(name, argv, env=env, user=user, cwd=cwd)
        try:
            status = process.wait(seconds)
        except LocalStackError:
            process.kill()
            raise
        if status != 0:
            raise process.failure(f"ended with status {status}")

    def make_folder(self, name: str, user: str | None = None) -> Path:
        """Make a folder that only `user` (default: we) can look into."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        give(folder, user)
        return folder


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back the signals that end a program by an exception.

    Between a question and its answer such an exception would leave the answer to the next question.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def give(path: Path, user: str | None) -> None:
    """Make `user` the owner of a file or folder."""
    if user is not None:
        shutil.chown(path, user, user)


def write(path: Path, text: str, user: str | None = None) -> Path:
    """Write a file that only `user` can read: most of them hold a password."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor.
        file.write(text)
    give(path, user)
    return path


def unprivileged(name: str) -> str | None:
    """Return the system user a server must run as: None, ourselves, unless we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError as error:
        raise LocalStackError(f"the system user {name} is missing: run `make setup`") from error


def base_folder() -> Path:
    """Return the folder of all our scratch folders, made when missing.

    Its path is short, because PostgreSQL's socket below it may have 107 bytes at most.
    """
    chosen = os.environ.get(BASE_VARIABLE)
    parent = Path("/var/tmp") if os.access("/var/tmp", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108
    base = Path(chosen) if chosen else parent / f"longshore-{os.geteuid()}"
    base.mkdir(mode=0o711, parents=True, exist_ok=True)
    facts = base.lstat()
    # Anybody can make that name first in a folder that everybody can write.
    if facts.st_uid != os.geteuid() or base.is_symlink():
        raise LocalStackError(f"{base} belongs to somebody else: set {BASE_VARIABLE}")
    base.chmod(0o711)
    return base
