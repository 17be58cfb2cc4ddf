"""A request as it arrived at a scripted server."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs


@dataclass(slots=True, kw_only=True)
class ReceivedRequest:
    """One request. Header names are in lower case; `at` is on the monotonic clock, in seconds.

    It is recorded when its head has arrived: `received` counts its body's bytes, and `complete` says whether all of
    them have arrived. `body` is set by servers that keep it.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int
    at: float
    received: int = 0
    complete: bool = False
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def length(self) -> int:
        """The body's length as the head states it; a chunked body states none."""
        return int(self.headers.get("content-length", "0"))

    @property
    def has_body(self) -> bool:
        return self.chunked or self.length > 0

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next(iter(parse_qs(self.query).get(name, [])), None)
