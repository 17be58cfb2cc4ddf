"""The faults that a link can inject into its connections.

`after` counts the bytes of one direction of a connection. `times` is the number of connections that a fault affects,
the first ones that reach its byte; None: all of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Direction(StrEnum):
    """A direction; the client is the side that opened the connection."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault; `kind` is its name in JSON."""

    kinds: ClassVar[dict[str, type[Fault]]] = {}
    times: int | None = None

    def __init_subclass__(cls) -> None:
        cls.kinds[cls.__name__.lower()] = cls

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Fault:
        """Parse the JSON of `document`."""
        fields = dict(document)
        kind = cls.kinds[fields.pop("kind")]
        if "direction" in fields:
            fields["direction"] = Direction(fields["direction"])
        return kind(**fields)


@dataclass(frozen=True, kw_only=True)
class Refuse(Fault):
    """New connections are refused."""


@dataclass(frozen=True, kw_only=True)
class Silence(Fault):
    """New connections are accepted, and nothing is sent on them, even after the fault is removed."""


@dataclass(frozen=True, kw_only=True)
class OneDirection(Fault):
    """Affects one direction of a connection, from a byte on."""

    direction: Direction
    after: int = 0


@dataclass(frozen=True, kw_only=True)
class Freeze(OneDirection):
    """Nothing is forwarded, not even the end of the connection, until the fault is removed."""


@dataclass(frozen=True, kw_only=True)
class Pace(OneDirection):
    """Limits the bytes per second: a bandwidth, or single bytes at a low rate."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Delay(OneDirection):
    """Every byte arrives late by these seconds, at the same rate."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Cut(OneDirection):
    """The connection is reset on both sides, exactly at that byte."""


@dataclass(frozen=True, kw_only=True)
class Truncate(OneDirection):
    """The connection is closed without a reset, exactly at that byte."""


@dataclass(frozen=True, kw_only=True)
class Corrupt(OneDirection):
    """One bit of the byte at `after` is flipped."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Accepted and open connections, forwarded bytes by direction, and the affected connections of each fault."""

    connections: int
    open: int
    to_server: int
    to_client: int
    affected: list[int]
