"""What a registry's own access log says of the requests it got."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The combined log format (Apache httpd, mod_log_config), which distribution writes: method, address, status, bytes of
# the answer's body.
_LINE = re.compile(r'^\S+ \S+ \S+ \[[^\]]*\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<size>\d+) ')
_KINDS = (
    (re.compile(r"/blobs/uploads/"), "upload"),
    (re.compile(r"/blobs/"), "blob"),
    (re.compile(r"/manifests/"), "manifest"),
)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Requests that a registry answered, by kind ("GET blob 200" → how many), and the bytes of all its answers."""

    requests: int
    bytes_sent: int
    kinds: dict[str, int] = field(default_factory=dict)


def read_traffic(log: Path, start: int) -> Traffic:
    """Sum up what a log says from a position on."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    kinds: dict[str, int] = {}
    sent = 0
    for match in filter(None, map(_LINE.match, lines)):
        kind = next((name for pattern, name in _KINDS if pattern.search(match["path"])), "root")
        name = f"{match['method']} {kind} {match['status']}"
        kinds[name] = kinds.get(name, 0) + 1
        # The size that the log has for a HEAD was not sent.
        sent += int(match["size"]) if match["method"] != "HEAD" else 0
    return Traffic(requests=sum(kinds.values()), bytes_sent=sent, kinds=dict(sorted(kinds.items())))
