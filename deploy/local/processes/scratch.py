"""A folder and a set of processes that end with their owner."""

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

# The folder of the scratch folders. The default is in /var/tmp: /tmp is in memory on many machines, and registries
# store gigabytes.
BASE_VARIABLE = "LONGSHORE_SCRATCH_BASE"

# With these, coverage measures a process from its start (`make coverage`).
COVERAGE_VARIABLES = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
# The environment of the servers. They inherit nothing else from the caller's shell.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    **{name: os.environ[name] for name in COVERAGE_VARIABLES if name in os.environ},
}

# Seconds for the guardian to sweep and to stop its processes. Each of its own limits is shorter.
GUARDIAN_SECONDS = 60.0

POLL_SECONDS = 0.02
TAIL_LINES = 30


class LocalStackError(RuntimeError):
    """A part of the local stack failed; the message contains the end of its log."""


class Process:
    """A process that a guardian runs."""

    def __init__(self, scratch: Scratch, name: str, pid: int, log: Path) -> None:
        self._scratch = scratch
        self.name = name
        self.pid = pid
        self.log = log

    def status(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the process runs."""
        status = self._scratch.ask(do="status", pid=self.pid)["status"]
        return None if status is None else int(status)

    @property
    def alive(self) -> bool:
        """Whether the process exists, even if SIGSTOP has frozen it."""
        return self.status() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        self._scratch.ask(do="signal", pid=self.pid, signal=int(number))

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit status; LocalStackError after `seconds`."""
        limit = time.monotonic() + seconds
        while (status := self.status()) is None:
            if time.monotonic() > limit:
                raise self.failure(f"still runs after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.send(signal.SIGKILL)
        self.wait(guardian.KILL_SECONDS)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the end of the log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def failure(self, what: str) -> LocalStackError:
        """Return an error with the end of the log."""
        return LocalStackError(f"{self.name} (pid {self.pid}) {what}\n{self.log}:\n{self.tail()}")


class Scratch:
    """A private folder, reserved ports and processes, which all end together.

    Use it as a context manager. Everything started through it ends with the block, and also if this process is killed:
    a guardian in another process (guardian.py) cleans up.
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
        """The process id of the guardian."""
        return self._guardian.pid

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send the guardian one request and return its answer; LocalStackError if it fails or has ended."""
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
        """Start a program, with its output in NAME.log of the folder.

        `env` is added to a clean environment. The guardian sends `stop_signal` when it removes the folder.
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
        """Run a program to its end; LocalStackError with its output if it fails."""
        process = self.spawn(name, argv, env=env, user=user, cwd=cwd)
        try:
            status = process.wait(seconds)
        except LocalStackError:
            process.kill()
            raise
        if status != 0:
            raise process.failure(f"ended with status {status}")

    def make_folder(self, name: str, user: str | None = None) -> Path:
        """Create a folder that only `user` (default: the current user) can access."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        give(folder, user)
        return folder


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Block the signals that raise an exception in this process.

    An exception between a request and its answer would leave the answer to the next request.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def give(path: Path, user: str | None) -> None:
    """Change the owner of a file or folder to `user`."""
    if user is not None:
        shutil.chown(path, user, user)


def write(path: Path, text: str, user: str | None = None) -> Path:
    """Write a file that only `user` can read: most of these files contain a password."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor.
        file.write(text)
    give(path, user)
    return path


def unprivileged(name: str) -> str | None:
    """Return the system user that a server must run as: None, the current user, unless that is root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError as error:
        raise LocalStackError(f"the system user {name} is missing: run `make setup`") from error


def base_folder() -> Path:
    """Return the folder of all scratch folders of this user; create it if it is missing.

    Its path is short, because the path of PostgreSQL's socket below it is limited to 107 bytes.
    """
    chosen = os.environ.get(BASE_VARIABLE)
    parent = Path("/var/tmp") if os.access("/var/tmp", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108
    base = Path(chosen) if chosen else parent / f"longshore-{os.geteuid()}"
    base.mkdir(mode=0o711, parents=True, exist_ok=True)
    facts = base.lstat()
    # In a folder that everyone can write to, another user may have created this name first.
    if facts.st_uid != os.geteuid() or base.is_symlink():
        raise LocalStackError(f"{base} belongs to another user: set {BASE_VARIABLE}")
    base.chmod(0o711)
    return base
