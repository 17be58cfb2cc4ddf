"""The run folder of this checkout: the lock, the process id and the description of the stack that `make up` started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# LONGSHORE_RUN_FOLDER allows a second stack in the same checkout.
FOLDER = Path(os.environ.get("LONGSHORE_RUN_FOLDER", ROOT / ".run"))
DESCRIPTION = FOLDER / "stack.json"
# Shell variables for using the stack: `. .run/env`.
ENVIRONMENT = FOLDER / "env"
KEEPER_PID = FOLDER / "keeper.pid"
KEEPER_LOG = FOLDER / "keeper.log"
LOCK = FOLDER / "lock"


# Seconds to retry the lock: a command that only checks whether the lock is free also holds it for a moment.
LOCK_SECONDS = 1.0
POLL_SECONDS = 0.02


@contextlib.contextmanager
def locked(*, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock of the run folder, as the keeper does while it lives; yields False if another process holds it.

    `wait` is the number of seconds to retry.
    """
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    limit = time.monotonic() + wait
    with LOCK.open("a") as file:
        while not (ours := try_lock(file)) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
        yield ours


def try_lock(file: IO[str]) -> bool:
    """Lock a file; returns False if another process holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_up() -> bool:
    """Return whether a keeper is running."""
    with locked() as free:
        return not free


def keeper_pid() -> int | None:
    """Return the process id that the keeper wrote, or None."""
    try:
        return int(KEEPER_PID.read_text())
    except (FileNotFoundError, ValueError):
        return None


def clear() -> None:
    """Remove the files that a keeper wrote."""
    for path in (DESCRIPTION, ENVIRONMENT, KEEPER_PID, KEEPER_LOG):
        path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
