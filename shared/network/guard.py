"""Checks the address that a connection is really made to, after every redirect, name lookup and IP literal.

A check of the name, or a custom resolver, would miss IP literals and names whose address changes between check and use.
The socket factory sees the address that is about to be connected, once per connection.
"""

import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self

from shared.network.addresses import read_address
from shared.network.policy import NetworkPolicy

# Milliseconds that sent data may stay unacknowledged, or wait for a peer that stops reading, before the kernel closes
# the connection (TCP_USER_TIMEOUT). The HTTP client itself has no time limit for a request body that the peer does not
# read.
UNREAD_DATA_TIMEOUT = 120_000

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class Calling:
    """The host of the request that the block makes, for policy entries that are names; and its refused addresses."""

    __slots__ = ("_token", "host", "refused")

    def __init__(self, host: str) -> None:
        self.host = host
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        self._token = _calling.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _calling.reset(self._token)


_calling: ContextVar[Calling | None] = ContextVar("calling", default=None)


class AddressRefusedError(OSError):
    """The policy forbids connections to this address."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Creates the sockets of outgoing connections, and refuses forbidden addresses."""

    policy: NetworkPolicy
    unread_data_timeout: int = UNREAD_DATA_TIMEOUT

    def make_socket(self, info: AddressInfo) -> socket.socket:
        """Return a socket for this address; raises AddressRefusedError."""
        family, kind, protocol, _, target = info
        self._check(str(target[0]), int(target[1]))
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.unread_data_timeout)
        return made

    def _check(self, host: str, port: int) -> None:
        call = _calling.get()
        if not self.policy.allows(call.host if call else host, read_address(host), port):
            if call:
                call.refused.append(host)
            raise AddressRefusedError(f"{host} may not be called")
