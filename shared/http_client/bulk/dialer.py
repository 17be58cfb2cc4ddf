"""Opens the sockets of bulk connections, under the rules of every other connection."""

import asyncio
import errno
import socket
import ssl
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

from aiohappyeyeballs import start_connection
from yarl import URL

from shared.network.guard import Guard
from shared.network.tls import TlsSettings
from shared.runtime.concurrency import run_in_thread

# Seconds until another address of the host is tried beside the one that does not answer (RFC 8305, section 8).
HAPPY_EYEBALLS_DELAY = 0.25
# The connection ended in the middle of a handshake; Python 3.11.2 takes that for an orderly end.
ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class ConnectTimeoutError(TimeoutError):
    """No connection, TLS included, in time."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Connects to the host of an address; `timeout` in seconds, for each of TCP and TLS."""

    guard: Guard
    tls: TlsSettings
    timeout: float

    async def dial(self, url: URL, threads: Executor) -> socket.socket:
        """Return a connected socket; raises OSError, ConnectTimeoutError among others.

        TLS is agreed on in one of the threads: the event loop's own are few, and silent servers would hold them all.
        The caller has named the host with `guard.calling`.
        """
        host, port = url.raw_host or "", url.port or 0
        try:
            async with asyncio.timeout(self.timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
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
                # The thread sees the end of the connection; the TLS socket's own shutdown() would let it go on.
                socket.socket.shutdown(secured, socket.SHUT_RDWR)

        try:
            await run_in_thread(secured.do_handshake, abort, threads)
        except BaseException as error:
            secured.close()
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError from error
            if isinstance(error, ENDED):
                # A server that goes away offers nothing to be distrusted.
                raise ConnectionResetError(errno.ECONNRESET, "the connection was closed in the handshake") from error
            raise
        return secured
