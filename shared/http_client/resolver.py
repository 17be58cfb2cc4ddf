"""Looks host names up in threads of its own: silent name servers must not occupy those that others wait for.

A user chooses the names, and so the name servers. The event loop has a handful of threads, and a look-up that gets no
answer holds one for as long as the system's resolver tries.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

# Look-ups at once in one session. They wait, and take next to no memory; the others wait for a place.
LOOKUPS_AT_ONCE = 128
# The addresses in the answer are numbers already.
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

# What `socket.getaddrinfo` returns: family, type, protocol, canonical name and address.
Found: TypeAlias = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]]


class Resolver(AbstractResolver):
    """The names of one session, so that those of sources and of the target do not wait for each other."""

    def __init__(self, *, timeout: float) -> None:
        """Wait at most `timeout` seconds for a name."""
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="names")

    async def look_up(self, host: str, port: int, *, family: int = socket.AF_UNSPEC, flags: int = 0) -> Found:
        """Return the host's addresses; raises `socket.gaierror`, also if no name server answers in time."""
        look = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, flags)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._threads, look)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "no name server answered in time") from None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Do the same for the HTTP client."""
        found = await self.look_up(host, port, family=family, flags=socket.AI_ADDRCONFIG)
        return [
            ResolveResult(hostname=host, host=address[0], port=address[1], family=kind, proto=protocol, flags=_NUMERIC)
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Give up the look-ups that wait for a place; the others end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
