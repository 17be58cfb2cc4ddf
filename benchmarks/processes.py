"""CPU time and memory of processes, from the kernel's counters."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import launcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Seconds after which a tool that copies an image counts as stuck.
DEADLINE = 900
# The id of a process's CPU clock is the inverted process id above three bits, the lower two of which are CPUCLOCK_SCHED
# (Linux, include/linux/posix-timers.h).
CLOCK_SHIFT, CLOCK_SCHEDULER = 3, 2
# Written to /proc/PID/clear_refs, this resets the peak of the resident memory (proc(5)).
RESET_PEAK = "5"
KIBIBYTE = 1024
# Fields of /proc/PID/stat after the name: the parent, and the ticks of children that have been waited for.
PARENT, CHILDREN_USER, CHILDREN_SYSTEM = 1, 13, 14


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The resources that some processes used.

    `cpu` is in seconds. `rss` is in bytes: the sum of the peaks of the processes that may have run at the same time.
    `wall` is in seconds, from the first start to the last end.
    """

    wall: float
    cpu: float
    rss: int


class ProgramFailedError(RuntimeError):
    """A measured program failed."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads, to the nanosecond."""
    return time.clock_gettime((~pid << CLOCK_SHIFT) | CLOCK_SCHEDULER)


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its children, and those of its children that have ended."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for member in [pid, *children(pid)]:
        try:
            fields = _stat(member)
            total += cpu_seconds(member) + (int(fields[CHILDREN_USER]) + int(fields[CHILDREN_SYSTEM])) / ticks
        except (OSError, IndexError):
            continue  # It has just ended; its parent's figures include its time.
    return total


def children(pid: int) -> list[int]:
    """Return the ids of a process's running children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(_stat(int(entry.name))[PARENT]) == pid:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def reset_peak_rss(pids: Iterable[int]) -> None:
    """Reset the peak of the resident memory."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK, encoding="ascii")


def peak_rss(pid: int) -> int:
    """Return the largest resident memory since the last reset, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) * KIBIBYTE if match else 0


def bytes_read(pid: int) -> int:
    """Return the bytes that a process has read from sockets and files (rchar of proc(5))."""
    fields = Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    match = re.search(r"^rchar: (\d+)$", fields, re.MULTILINE)
    return int(match[1]) if match else 0


def run_all(commands: Sequence[Sequence[str]], environment: Mapping[str, str], parallel: int) -> Usage:
    """Run programs to their end, `parallel` at a time; ProgramFailedError with the output of one that fails."""
    work = {"commands": list(map(list, commands)), "environment": dict(environment), "parallel": parallel}
    return Usage(**json.loads(run([sys.executable, "-I", "-S", launcher.__file__], json.dumps(work))))


def run(command: Sequence[str], given: str) -> str:
    """Run a program with this standard input and return its output."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if done.returncode != 0:
        raise ProgramFailedError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout
