"""Opens the sockets of bulk connections, under the same network rules as every other connection."""

import asyncio
import errno
import socket
import ssl
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

from aiohappyeyeballs import start_connection
from yarl import URL

from shared.http_client.resolver import Resolver
from shared.network.guard import Guard
from shared.network.tls import TlsSettings
from shared.runtime.concurrency import run_in_thread

# Seconds without a connection after which another address of the host is tried in parallel (RFC 8305, section 8).
HAPPY_EYEBALLS_DELAY = 0.25
# The connection ended during a handshake; Python 3.11.2 reports that as an orderly end.
ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class ConnectTimeoutError(TimeoutError):
    """No connection, TLS included, within the timeout."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Connects to the host of a URL; `timeout` is in seconds, for each of TCP and TLS."""

    resolver: Resolver
    guard: Guard
    tls: TlsSettings
    timeout: float

    async def dial(self, url: URL, threads: Executor) -> socket.socket:
        """Return a connected socket; raises OSError, including ConnectTimeoutError.

        The TLS handshake runs in one of `threads`: the event loop's own threads are few, and servers that stay silent
        would occupy them all. The caller has named the host with `guard.Calling`.
        """
        host, port = url.raw_host or "", url.port or 0
        try:
            async with asyncio.timeout(self.timeout):
                found = await self.resolver.look_up(host, port)
                made = await start_connection(
                    found, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY, socket_factory=self.guard.make_socket
                )
        except TimeoutError as error:
            raise ConnectTimeoutError from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(self.timeout)
        return await self._secured(made, host, port, threads) if url.scheme == "https" else made

    async def _secured(self, made: socket.socket, host: str, port: int, threads: Executor) -> socket.socket:
        try:
            secured = self.tls.context(host, port).wrap_socket(
                made, server_hostname=host, do_handshake_on_connect=False
            )
        except BaseException:
            made.close()
            raise

        def abort() -> None:
            with suppress(OSError):
                # This ends the thread's handshake; the TLS socket's own shutdown() would not.
                socket.socket.shutdown(secured, socket.SHUT_RDWR)

        try:
            # In all: the socket's own timeout starts anew with each byte of a handshake.
            async with asyncio.timeout(self.timeout):
                await run_in_thread(secured.do_handshake, abort, threads)
        except BaseException as error:
            secured.close()
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError from error
            if isinstance(error, ENDED):
                # The server closed the connection; that says nothing about its certificate.
                raise ConnectionResetError(errno.ECONNRESET, "the connection was closed in the handshake") from error
            raise
        return secured
