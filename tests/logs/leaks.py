"""Finds secrets in the log lines of processes.

Passwords, keys and tokens of the tests have a common mark, so the search needs no list of them, and finds them in
base64 as well. Guardians of scratch folders move logs aside on request, so the logs of programs that the tests only
start are searched, too.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deploy.local.processes.server import KEY_MARK, PASSWORD_MARK

# In base64 a text looks in one of three ways, by how many bytes stand before it; its ends depend on its neighbours.
ALIGNMENTS = 3
# The part of a line that is shown before a secret.
SHOWN = 60


def in_base64(text: str) -> Iterator[str]:
    """Yield the traces that a text leaves inside an encoded one, such as `user:password`."""
    for before in range(ALIGNMENTS):
        encoded = base64.b64encode(b"\0" * before + text.encode()).decode().rstrip("=")
        first = -(-8 * before // 6)
        last = 8 * (before + len(text)) // 6
        yield encoded[first:last]


KINDS = {
    "a password": re.compile(PASSWORD_MARK),
    "a password in base64": re.compile("|".join(map(re.escape, in_base64(PASSWORD_MARK)))),
    "an encryption key": re.compile(KEY_MARK),
    "an API token": re.compile(r"lsh_[A-Za-z0-9_-]{30}"),
    "a JWT": re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "an Authorization header": re.compile(r"(?i)\b(?:basic|bearer) [A-Za-z0-9+/._~-]{16,}"),
}


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A secret in a line; its text does not repeat it."""

    where: str
    kind: str
    before: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind} after {self.before!r}"


def leaks(where: str, lines: Iterable[str]) -> Iterator[Leak]:
    """Yield one leak for each line and kind of secret."""
    for number, line in enumerate(lines, 1):
        for kind, pattern in KINDS.items():
            if found := pattern.search(line):
                before = line[max(0, found.start() - SHOWN) : found.start()]
                yield Leak(where=f"{where}:{number}", kind=kind, before=before)
