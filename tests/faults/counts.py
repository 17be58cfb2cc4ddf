"""What has gone through a link."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Connections ever accepted and open now, bytes sent on each way, and for each fault whom it has befallen."""

    connections: int
    open: int
    to_server: int
    to_client: int
    affected: list[int]
