"""A response of a scripted server, before any fault changes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, headers (Content-Length is added) and a body."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def head(self, framing: str) -> bytes:
        """Return the bytes before the body; `framing` is the header line that delimits the body, or empty."""
        lines = [f"HTTP/1.1 {int(self.status)} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [framing] if framing else []
        return "\r\n".join((*lines, "", "")).encode("latin-1")


def as_json(document: Any, status: int = HTTPStatus.OK, **headers: str) -> Answer:
    """Return a response with a JSON body; underscores in the headers' names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status=status, headers={"Content-Type": "application/json", **named}, body=json.dumps(document).encode()
    )


def refusal(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """Return an error response in the distribution specification's format."""
    return as_json({"errors": [{"code": code, "message": message or code.lower()}]}, status, **headers)
