"""The state of the service: the token's identity, the API's readiness, the target's figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from longshore_client.answers import Json, Key, decode, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user that a token belongs to, and the token's role."""

    user: Annotated[str, Key("userName")]
    role: str
    """`user`, `admin` or `worker`."""
    groups: tuple[str, ...] = ()
    """The groups that import rules can name."""
    issuer: str = ""
    """The issuer of the user's identity; empty if only API tokens name the user."""
    subject: str = ""
    """The user's identity at the issuer, which owns the user's images."""
    token_id: int | None
    """None for a token of the identity provider."""
    expires: Annotated[datetime | None, Key("expiresTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the API is ready, and the fault of each of its parts by name; None for a part that works."""

    ready: bool
    faults: Mapping[str, str | None]

    @classmethod
    def of(cls, document: Json) -> "Readiness":
        """Read the answer of /readyz."""
        parts = need(document, "parts", dict)
        faults = {str(name): _fault(part) for name, part in parts.items() if isinstance(part, dict)}
        return cls(ready=need(document, "status", str) == "ready", faults=faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """Figures of the target. `raw` is the API's own object."""

    projects: Annotated[int, Key("totalProjects")]
    images: Annotated[int, Key("totalImages")]
    size: Annotated[int, Key("totalSize")]
    """Bytes."""
    scope: str = ""
    """The images that are counted: `target`, `visible` or `managed`."""
    as_of: datetime | None
    message: str = ""
    """The part that the figures leave out, if any."""
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    ready: bool
    detail: str = ""


def _fault(part: Json) -> str | None:
    read = decode(_Part, part)
    return None if read.ready else read.detail or "it does not work"
