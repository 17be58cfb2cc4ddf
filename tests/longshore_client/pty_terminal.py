"""A pseudo-terminal: reads the output of a program and types its input."""

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
# Time limit of a wait, which takes seconds on an idle machine. Seconds.
WAIT_SECONDS = 60.0
# The largest read, and the longest wait for one. Bytes; seconds.
_CHUNK = 65_536
_READ_SECONDS = 0.05
# The part of the output that a failure shows. Characters.
_SHOWN = 2_000


@dataclass
class Terminal:
    """A program in a new terminal. `on_output` receives each chunk of output with its time."""

    process: "subprocess.Popen[bytes]"
    master: int
    on_output: Callable[[float, bytes], None] = lambda _time, _data: None
    output: bytes = b""
    _read: int = field(default=0)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until the output since the last wait contains the text; return that output."""
        limit = time.monotonic() + WAIT_SECONDS
        while (at := self.output.find(text.encode(), self._read)) < 0:
            assert time.monotonic() < limit, f"no {text!r} in {self.rest()[-_SHOWN:]!r}"
            if not self.read() and self.process.poll() is not None:
                raise AssertionError(f"it ended without {text!r}: {self.rest()[-_SHOWN:]!r}")
        before, self._read = self._read, at + len(text.encode())
        return self.output[before : self._read].decode(errors="replace")

    def rest(self) -> str:
        """Return the output since the last wait."""
        return self.output[self._read :].decode(errors="replace")

    def end(self) -> int:
        """Read until the program ends, and return its exit status."""
        limit = time.monotonic() + WAIT_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < limit, self.rest()[-_SHOWN:]
            self.read()
        while self.read():
            pass
        return self.process.returncode

    def read(self) -> bool:
        """Read a chunk, if one arrives within the limit; return whether there was any output."""
        if not select.select([self.master], [], [], _READ_SECONDS)[0]:
            return False
        try:
            data = os.read(self.master, _CHUNK)
        except OSError:  # Linux reports so that no process has the other side open.
            return False
        self.output += data
        self.on_output(time.monotonic(), data)
        return bool(data)


def _pair() -> tuple[int, int]:
    """Open a pseudo-terminal. A minimal container may have none, and skips the test; a build server must have them."""
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
    """Run a command in a terminal of this size; kill it at the end of the block."""
    master, slave = _pair()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    # With this terminal as its controlling terminal, the process receives Ctrl-C from it.
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
