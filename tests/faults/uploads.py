"""Reads the uploads of a repository from a registry's access log."""

from __future__ import annotations

import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# The combined log format (Apache httpd, mod_log_config), which distribution writes at the end of a request.
_LINE = re.compile(r'^\S+ \S+ \S+ \[[^\]]*\] "(?P<method>[A-Z]+) (?P<address>\S+) [^"]*" (?P<status>\d{3}) ')
_CREATED, _ACCEPTED = "201", "202"


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """The uploads of one repository: the number of sessions, and how often each digest was stored."""

    sessions: int
    stored: Counter[str]


def uploads_to(log: Path, repository: str) -> Uploads:
    """Read the uploads to a repository from the log."""
    sessions, stored = 0, Counter[str]()
    for match in filter(None, map(_LINE.match, log.read_text(errors="replace").splitlines())):
        address = urllib.parse.urlsplit(match["address"])
        if not address.path.startswith(f"/v2/{repository}/blobs/uploads/"):
            continue
        query = urllib.parse.parse_qs(address.query)
        if match["method"] == "POST" and match["status"] == _ACCEPTED:
            sessions += 1
        for digest in query.get("digest", ()):
            stored[digest] += match["status"] == _CREATED
    return Uploads(sessions=sessions, stored=stored)
