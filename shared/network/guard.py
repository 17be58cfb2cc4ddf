"""Judges the address that a connection really goes to, after every redirect, name lookup and IP literal.

A check of the name, or a resolver of our own, would be passed by IP literals and by names whose answer changes between
check and use; the socket factory sees the address that is about to be connected, once per connection.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from shared.network.addresses import read_address
from shared.network.policy import NetworkPolicy

# Milliseconds that sent data may stay unacknowledged, or wait for a peer that takes nothing, before the kernel ends
# the connection (TCP_USER_TIMEOUT). The HTTP client itself has no limit on a request body that nobody reads.
UNTAKEN_DATA_TIMEOUT = 120_000

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


@dataclass(slots=True)
class Calling:
    """The host that the current request names, and the addresses that were refused for it."""

    host: str
    refused: list[str] = field(default_factory=list)


_calling: ContextVar[Calling | None] = ContextVar("calling", default=None)


class AddressRefusedError(OSError):
    """The policy does not let this address be called."""


@contextmanager
def calling(host: str) -> Iterator[Calling]:
    """Say which host the request made inside names, for the entries of the policy that are names."""
    call = Calling(host)
    token = _calling.set(call)
    try:
        yield call
    finally:
        _calling.reset(token)


@dataclass(frozen=True, slots=True)
class Guard:
    """Makes the sockets of outgoing connections, or refuses to."""

    policy: NetworkPolicy
    untaken_data_timeout: int = UNTAKEN_DATA_TIMEOUT

    def make_socket(self, info: AddressInfo) -> socket.socket:
        """Return a socket for this address; raises AddressRefusedError."""
        family, kind, protocol, _, target = info
        self._judge(str(target[0]), int(target[1]))
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.untaken_data_timeout)
        return made

    def _judge(self, host: str, port: int) -> None:
        call = _calling.get()
        if not self.policy.allows(call.host if call else host, read_address(host), port):
            if call:
                call.refused.append(host)
            raise AddressRefusedError(f"{host} may not be called")
