"""What a link can do to the connections that go through it.

A way is one direction of a connection. `after` counts the bytes of that way of that connection. `times` is how many
connections a fault befalls, the first ones that come to its point; None: all of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Direction(StrEnum):
    """A direction; the client is who opened the connection."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of harm; `kind` is its name in JSON."""

    kinds: ClassVar[dict[str, type[Fault]]] = {}
    times: int | None = None

    def __init_subclass__(cls) -> None:
        cls.kinds[cls.__name__.lower()] = cls

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Fault:
        """Read what `document` made."""
        fields = dict(document)
        kind = cls.kinds[fields.pop("kind")]
        if "direction" in fields:
            fields["direction"] = Direction(fields["direction"])
        return kind(**fields)


@dataclass(frozen=True, kw_only=True)
class Refuse(Fault):
    """Nobody listens: new connections are refused."""


@dataclass(frozen=True, kw_only=True)
class Silence(Fault):
    """New connections are accepted and never hear a word; they stay so when the fault is taken back."""


@dataclass(frozen=True, kw_only=True)
class OneDirection(Fault):
    """Befalls one way of a connection, from a byte on."""

    direction: Direction
    after: int = 0


@dataclass(frozen=True, kw_only=True)
class Freeze(OneDirection):
    """Nothing passes, not even the connection's end, until the fault is taken back."""


@dataclass(frozen=True, kw_only=True)
class Pace(OneDirection):
    """So many bytes pass in a second: a bandwidth, or a drip of single bytes when there are few."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Delay(OneDirection):
    """Every byte arrives so many seconds late; how many pass in a second does not change."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Cut(OneDirection):
    """The connection is reset on both sides, right at that byte."""


@dataclass(frozen=True, kw_only=True)
class Truncate(OneDirection):
    """The connection ends in good order, right at that byte."""


@dataclass(frozen=True, kw_only=True)
class Corrupt(OneDirection):
    """One bit of the byte at `after` is another one."""
