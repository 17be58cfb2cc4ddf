"""Opens the sockets of bulk connections, under the rules of every other connection."""

import asyncio
import socket
import ssl
from dataclasses import dataclass

from aiohappyeyeballs import start_connection
from yarl import URL

from shared.network.guard import Guard
from shared.network.tls import TlsSettings

# Seconds until another address of the host is tried beside the one that does not answer (RFC 8305, section 8).
HAPPY_EYEBALLS_DELAY = 0.25


class ConnectTimeoutError(TimeoutError):
    """No connection, TLS included, in time."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Connects to the host of an address; `timeout` in seconds, for each of TCP and TLS."""

    guard: Guard
    tls: TlsSettings
    timeout: float

    async def dial(self, url: URL) -> socket.socket:
        """Return a connected socket; raises OSError, ConnectTimeoutError among others.

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
        return await self._secured(made, host, port) if url.scheme == "https" else made

    async def _secured(self, made: socket.socket, host: str, port: int) -> socket.socket:
        context = self.tls.context(host, port)
        handshake = asyncio.create_task(asyncio.to_thread(_wrap, made, context, host))
        try:
            return await asyncio.shield(handshake)
        except asyncio.CancelledError:
            # The thread sees the end of the connection, and only then may the socket go.
            made.shutdown(socket.SHUT_RDWR)
            await asyncio.wait({handshake})
            if not handshake.exception():
                handshake.result().close()
            raise


def _wrap(made: socket.socket, context: ssl.SSLContext, host: str) -> socket.socket:
    try:
        return context.wrap_socket(made, server_hostname=host)
    except TimeoutError as error:
        made.close()
        raise ConnectTimeoutError from error
    except BaseException:
        made.close()
        raise
