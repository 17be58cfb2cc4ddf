"""The one stack that `make up` may have running for this checkout, and what is written down about it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
# LONGSHORE_RUN_FOLDER makes room for a second stack beside the one people use.
FOLDER = Path(os.environ.get("LONGSHORE_RUN_FOLDER", ROOT / ".run"))
DESCRIPTION = FOLDER / "stack.json"
# What a shell needs to talk to the stack: `. .run/env`.
ENVIRONMENT = FOLDER / "env"
KEEPER_PID = FOLDER / "keeper.pid"
KEEPER_LOG = FOLDER / "keeper.log"
LOCK = FOLDER / "lock"


# Seconds to try for the lock: whoever only looks whether it is free has it for a moment, too.
PATIENCE_SECONDS = 1.0
POLL_SECONDS = 0.02


@contextlib.contextmanager
def held(patience: float = 0.0) -> Iterator[bool]:
    """Hold the checkout's lock, as the keeper does for as long as it lives; False when another does."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    limit = time.monotonic() + patience
    with LOCK.open("a") as file:
        while not (ours := locked(file)) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)
        yield ours


def locked(file: IO[str]) -> bool:
    """Lock a file, unless somebody has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_up() -> bool:
    """Tell whether a keeper lives."""
    with held() as free:
        return not free


def keeper_pid() -> int | None:
    """Return the process id of the keeper, if one wrote it down."""
    try:
        return int(KEEPER_PID.read_text())
    except (FileNotFoundError, ValueError):
        return None


def forget() -> None:
    """Remove what a keeper wrote down."""
    for path in (DESCRIPTION, ENVIRONMENT, KEEPER_PID, KEEPER_LOG):
        path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, so that it is there whole or not at all."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
