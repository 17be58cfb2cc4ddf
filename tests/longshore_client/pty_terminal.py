"""A terminal that a test sits at: what a program prints there, and what is typed."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

CTRL_C = "\x03"
# What is waited for comes within seconds; this is for a busy machine. Seconds.
PATIENCE = 60.0
_CHUNK = 65_536
_BLINK = 0.05
# How much of a terminal a failure shows. Characters.
_TOLD = 2_000


@dataclass
class Terminal:
    """A program in a terminal of its own; `noted` gets everything that comes, with the time."""

    process: "subprocess.Popen[bytes]"
    master: int
    noted: Callable[[float, bytes], None] = lambda _time, _data: None
    output: bytes = b""
    _read: int = field(default=0)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> str:
        """Read on until this stands in what has come since the last such wait, and return all of that."""
        limit = time.monotonic() + PATIENCE
        while (at := self.output.find(text.encode(), self._read)) < 0:
            assert time.monotonic() < limit, f"no {text!r} in {self.rest()[-_TOLD:]!r}"
            if not self.read() and self.process.poll() is not None:
                raise AssertionError(f"it ended without {text!r}: {self.rest()[-_TOLD:]!r}")
        before, self._read = self._read, at + len(text.encode())
        return self.output[before : self._read].decode(errors="replace")

    def rest(self) -> str:
        """Return what has come since the last wait."""
        return self.output[self._read :].decode(errors="replace")

    def end(self) -> int:
        """Read on until the program ends, and return its exit status."""
        limit = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < limit, self.rest()[-_TOLD:]
            self.read()
        while self.read():
            pass
        return self.process.returncode

    def read(self) -> bool:
        """Take what has come, waiting a blink for it; tells whether there was anything."""
        if not select.select([self.master], [], [], _BLINK)[0]:
            return False
        try:
            data = os.read(self.master, _CHUNK)
        except OSError:  # Linux's way to say that the last one on the other side has left.
            return False
        self.output += data
        self.noted(time.monotonic(), data)
        return bool(data)


def _pair() -> tuple[int, int]:
    """Open a pseudo-terminal; a bare container may have none, a build server has to."""
    try:
        return pty.openpty()
    except OSError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"there are no pseudo-terminals here: {error}")


@contextmanager
def in_terminal(
    command: Sequence[str], environment: Mapping[str, str], *, columns: int = 100, lines: int = 30
) -> Iterator[Terminal]:
    """Run a command at a terminal of a size; what still runs at the block's end is killed."""
    master, slave = _pair()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # A session leader whose first terminal this is gets Ctrl-C from it.
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        env={"TERM": "xterm-256color", **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(process=process, master=master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
