"""Runs programs, a number of them at a time, and reports the resources used. A script that uses the standard library.

The kernel includes the memory of the forking process in the peak of the executed program, so a process with little
memory has to fork. The work is JSON on standard input, the result is JSON on standard output:
{"commands", "environment", "parallel"} -> {"wall", "cpu", "rss"}.
"""

import json
import os
import sys
import tempfile
import time

KIBIBYTE = 1024
TAIL = 4000


def main() -> None:
    """Run all commands to their end; exit with the output of the first that fails."""
    work = json.load(sys.stdin)
    waiting = list(reversed(work["commands"]))
    running: dict[int, tuple[list[str], int]] = {}
    cpu, peaks = 0.0, []
    started = time.perf_counter()
    while waiting or running:
        while waiting and len(running) < work["parallel"]:
            command = waiting.pop()
            with tempfile.TemporaryFile() as output:
                pid = _spawn(command, work["environment"], output.fileno())
                running[pid] = (command, os.dup(output.fileno()))
        pid, status, used = os.wait4(-1, 0)
        command, output_number = running.pop(pid)
        if status:
            _fail(command, status, output_number)
        os.close(output_number)
        cpu += used.ru_utime + used.ru_stime
        peaks.append(used.ru_maxrss * KIBIBYTE)
    wall = time.perf_counter() - started
    json.dump({"wall": wall, "cpu": cpu, "rss": sum(sorted(peaks)[-work["parallel"] :])}, sys.stdout)


def _spawn(command: list[str], environment: dict[str, str], output: int) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    return os.posix_spawn(command[0], command, environment, file_actions=actions)


def _fail(command: list[str], status: int, output: int) -> None:
    said = os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
    sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}\n{said[-TAIL:]}")


if __name__ == "__main__":
    main()
