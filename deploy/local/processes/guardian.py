"""A small process that owns a scratch folder and every process started in it.

It ends them all and removes the folder when its control socket closes. The kernel closes the socket however the parent
ends: by returning, by an exception, or by SIGKILL.

It runs as a script and uses only the standard library, so that it starts in milliseconds:
`python -I -S guardian.py BASE`, the control socket being file descriptor 0. One JSON object a
line each way; the first line it writes is {"folder": PATH}. Requests, by their "do":

    spawn   {name, argv, env, cwd, user, log, stop_signal}  ->  {"pid": N}
    status  {pid}                                           ->  {"status": null | exit status}
    signal  {pid, signal}                                   ->  {"sent": true | false}
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# Every process started in a scratch folder has the folder's path in this variable. It identifies the processes that a
# killed guardian leaves behind.
MARK = "LONGSHORE_SCRATCH"
LOCK_NAME = ".lock"
# If this variable names a folder, the logs of all scratch folders are moved there.
KEEP_LOGS = "LONGSHORE_KEEP_LOGS"

# Seconds between the stop signal and SIGKILL. This bounds the time to remove a stack. PostgreSQL's immediate shutdown,
# the slowest that matters, takes well under one second.
STOP_SECONDS = 5.0

# Seconds between two checks of processes that are ending.
POLL_SECONDS = 0.02

# Seconds to repeat SIGKILL. A process in uninterruptible sleep may never end.
KILL_SECONDS = 10.0

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Adopt orphaned descendants, so that background processes of a server are still children of the guardian."""
    if LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_guardian(number: int) -> None:
    """Request this signal from the kernel for when the guardian dies; runs between fork and exec.

    The change of user clears the request, but preexec_fn runs after it. Only the process itself gets the signal; the
    sweep at the next start ends its children.
    """
    LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


class Guardian:
    """The processes of one scratch folder, by process id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[int, int] = {}  # process id -> the signal that stops it
        self.ended: dict[int, int] = {}  # process id -> exit status, negative for a signal
        self.handles: list[subprocess.Popen[bytes]] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; a failure is returned as an answer."""
        try:
            if request["do"] == "spawn":
                return {"pid": self.spawn(request)}
            if request["do"] == "status":
                self.reap()
                return {"status": self.ended.get(request["pid"])}
            return {"sent": self.signal(request["pid"], request["signal"])}
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def spawn(self, request: dict[str, Any]) -> int:
        """Start a process in its own session, with its output in a file."""
        user = request["user"]
        with Path(request["log"]).open("ab") as log:
            handle = subprocess.Popen(
                request["argv"],
                env=request["env"] | {MARK: str(self.folder)},
                cwd=request["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                # With an empty list, Python 3.11 would keep root's groups.
                extra_groups=None if user is None else [user],
                preexec_fn=lambda: die_with_guardian(request["stop_signal"]),  # noqa: PLW1509 - the guardian has one thread.
            )
        # Never removed: the destructor of a Popen waits for its process, and would take the status from reap().
        self.handles.append(handle)
        self.running[handle.pid] = request["stop_signal"]
        return handle.pid

    def signal(self, pid: int, number: int) -> bool:
        """Signal a running process; returns False if it has ended, even if its number is in use again."""
        self.reap()
        if pid not in self.running:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def reap(self) -> None:
        """Collect every child that has ended, including adopted ones."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if self.running.pop(pid, None) is not None:
                    self.ended[pid] = os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        """Stop every process with its stop signal, then with SIGKILL."""
        for pid, number in list(self.running.items()):
            self.signal(pid, number)
            self.signal(pid, signal.SIGCONT)  # A frozen process does not handle the stop signal.
        limit = time.monotonic() + STOP_SECONDS
        while self.running and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
            self.reap()
        limit = time.monotonic() + KILL_SECONDS
        while kill_all(descendants(os.getpid())) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
            self.reap()


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below `root`, from /proc."""
    children: dict[int, list[int]] = {}
    for pid in process_ids():
        with contextlib.suppress(OSError):
            # The command's name is in parentheses and may contain any character; the other fields do not.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(pid)
    found = list(children.get(root, []))
    for pid in found:  # The list grows while it is walked: breadth first.
        found.extend(children.get(pid, []))
    return found


def process_ids() -> list[int]:
    """Return the ids of all visible processes of the machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def kill_all(pids: list[int]) -> bool:
    """Kill processes; returns True while any of them exists, even as a zombie."""
    found = False
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            found = True
    return found


def marked(folder: Path) -> list[int]:
    """Return the processes that were started in this folder, or whose working directory is in it.

    PostgreSQL overwrites its environment with its process title, but its working directory is its data folder.
    """
    mark = f"{MARK}={folder}".encode()
    found = []
    for pid in process_ids():
        with contextlib.suppress(OSError):
            here = Path(f"/proc/{pid}/cwd").readlink()
            ours = here == folder or folder in here.parents
            if ours or mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return [pid for pid in found if pid != os.getpid()]


def try_lock(path: Path) -> int | None:
    """Lock a file and return its descriptor, or None if another process holds the lock or the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno != errno.EWOULDBLOCK:
            raise
        return None
    return descriptor


def claim(base: Path) -> Path:
    """Create a new folder, which this process locks while it lives."""
    with (base / LOCK_NAME).open("a") as gate:
        # A sweep between creating and locking the folder would take it for a dead one.
        fcntl.flock(gate, fcntl.LOCK_EX)
        folder = base / secrets.token_hex(4)
        folder.mkdir(mode=0o711)
        # Whatever the umask, the servers' users must be able to traverse the folder.
        folder.chmod(0o711)
        (folder / LOCK_NAME).touch(mode=0o600)
        if try_lock(folder / LOCK_NAME) is None:
            raise RuntimeError(f"cannot lock the new folder {folder}")
    return folder


def sweep(base: Path) -> None:
    """Remove the remains of stacks whose guardian is dead: first the processes, then the folder."""
    for folder, descriptor in dead(base):
        limit = time.monotonic() + KILL_SECONDS
        while kill_all(marked(folder)) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def dead(base: Path) -> list[tuple[Path, int]]:
    """Return the folders whose guardian is dead, each with a lock that this process now holds."""
    with (base / LOCK_NAME).open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        locks = [(path.parent, try_lock(path)) for path in base.glob(f"*/{LOCK_NAME}")]
    return [(folder, lock) for folder, lock in locks if lock is not None]


def serve(control: socket.socket, guardian: Guardian) -> None:
    """Answer requests until the parent closes the socket, or until SIGTERM."""
    wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    pending = b""
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if wake in ready and signal.SIGTERM in os.read(wake, 4096):
            return
        guardian.reap()
        if control.fileno() in ready:
            received = control.recv(1 << 16)
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                send(control, guardian.answer(json.loads(line)))


def send(control: socket.socket, message: dict[str, Any]) -> None:
    """Write one JSON line."""
    control.sendall(json.dumps(message).encode() + b"\n")


def keep_logs(folder: Path) -> None:
    """Move the logs to the folder that KEEP_LOGS names."""
    if wanted := os.environ.get(KEEP_LOGS):
        kept = Path(wanted) / folder.name
        kept.mkdir(parents=True)
        for log in folder.glob("*.log"):
            shutil.move(log, kept / log.name)


def main() -> None:
    """Claim a folder, serve requests, and remove everything at the end."""
    base = Path(sys.argv[1])
    # The terminal's interrupt is for the parent, which then closes the socket. Empty handlers instead of SIG_IGN: every
    # process started here would inherit SIG_IGN.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    become_subreaper()
    sweep(base)
    guardian = Guardian(claim(base))
    control = socket.socket(fileno=os.dup(0))
    try:
        send(control, {"folder": str(guardian.folder)})
        serve(control, guardian)
    except OSError:
        pass  # The parent ended in the middle of a line: the same as a closed socket.
    finally:
        guardian.end()
        keep_logs(guardian.folder)
        shutil.rmtree(guardian.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
