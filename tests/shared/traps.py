"""Canaries that show leaked credentials, and host names that resolve to chosen addresses."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from shared.http_client.resolver import Resolver
from shared.model.credential import Credential
from tests.scripted.server import Server

PASSWORD = "canary-password"
CREDENTIAL = Credential("alice", PASSWORD)
CANARIES = (PASSWORD, b64encode(f"alice:{PASSWORD}".encode()).decode(), "token-canary")


def leaks(*servers: Server) -> list[str]:
    """Return the requests that carried an account, a token, or a canary in any form."""
    return [
        f"{asked.method} {asked.target}"
        for server in servers
        for asked in server.asked
        if asked.authorization or "alice" in asked.target or with_canaries(f"{asked.target} {asked.headers}")
    ]


def with_canaries(text: str) -> list[str]:
    """Return the canaries in a text, plain or percent-encoded."""
    return [canary for canary in CANARIES if canary in text or quote(canary, safe="") in text]


class Names:
    """The addresses of host names, one list for each look-up; the last list is repeated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._answers: dict[str, Iterator[Sequence[str]]] = {}
        self._last: dict[str, Sequence[str]] = {}
        # The system's resolver cannot be scripted; both of Longshore's clients call it through this class.
        monkeypatch.setattr(Resolver, "look_up", self._look_up)

    def lead(self, name: str, *answers: Sequence[str]) -> None:
        """Resolve a name to these addresses, one list for each look-up."""
        self._answers[name] = iter(answers)

    async def _look_up(self, host: str, port: int, **named: Any) -> Any:
        if host not in self._answers:
            return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, **named)
        self.asked.append(host)
        self._last[host] = next(self._answers[host], self._last.get(host, ()))
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, (address, port)) for address in self._last[host]]
