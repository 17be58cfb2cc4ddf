"""Reads the requests of a registry from its access log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The combined log format (Apache httpd, mod_log_config), which distribution writes: method, address, status, and size
# of the response body.
_LINE = re.compile(r'^\S+ \S+ \S+ \[[^\]]*\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<size>\d+) ')
_KINDS = (
    (re.compile(r"/blobs/uploads/"), "upload"),
    (re.compile(r"/blobs/"), "blob"),
    (re.compile(r"/manifests/"), "manifest"),
)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The requests that a registry answered, by kind ("GET blob 200" → count), and the bytes of all its responses."""

    requests: int
    bytes_sent: int
    kinds: dict[str, int] = field(default_factory=dict)


def read_traffic(log: Path, start: int) -> Traffic:
    """Return the totals of a log from a position on."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    kinds: dict[str, int] = {}
    sent = 0
    for match in filter(None, map(_LINE.match, lines)):
        kind = next((name for pattern, name in _KINDS if pattern.search(match["path"])), "root")
        name = f"{match['method']} {kind} {match['status']}"
        kinds[name] = kinds.get(name, 0) + 1
        # The log has a size for a HEAD, but the registry sends no body.
        sent += int(match["size"]) if match["method"] != "HEAD" else 0
    return Traffic(requests=sum(kinds.values()), bytes_sent=sent, kinds=dict(sorted(kinds.items())))
