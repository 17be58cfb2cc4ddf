"""The one kind of HTTP client session that leaves Longshore: guarded, without a memory of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from shared.http_client.bulk.dialer import Dialer
from shared.http_client.bulk.exchange import BulkExchanges
from shared.model.version import product_version
from shared.network.guard import Guard
from shared.network.policy import NetworkPolicy
from shared.network.tls import TlsSettings

# Seconds until a connection, TLS included, is made.
CONNECT_TIMEOUT = 10
# Seconds without a byte from the other side while we wait for an answer or read one.
READ_TIMEOUT = 60
# Seconds for a whole exchange whose bodies fit in memory, so that a server that drips cannot hold it for ever.
SMALL_EXCHANGE_TIMEOUT = 120
# Connections of one session, in all and to one host: above what the import limits of a process can ask for, so that
# a small request never waits behind layers.
MAX_CONNECTIONS = 512
MAX_CONNECTIONS_PER_HOST = 128
# Bytes read ahead per connection; 1 MiB about doubled streaming speed against the default of 64 KiB (measured).
READ_AHEAD = 1024 * 1024
# Bytes of one header line. Presigned storage addresses and upload states pass the default of 8 KiB.
MAX_HEADER_LINE = 32 * 1024
# Seconds that an unused connection is kept.
KEEP_ALIVE = 30

SMALL_TIMEOUT = aiohttp.ClientTimeout(
    total=SMALL_EXCHANGE_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT
)
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A session with the rules that hold for it; `bulk` is for what is too large to pass through `http`."""

    http: aiohttp.ClientSession
    bulk: BulkExchanges
    tls: TlsSettings
    policy: NetworkPolicy


@asynccontextmanager
async def open_outgoing(policy: NetworkPolicy) -> AsyncIterator[Outgoing]:
    """Open a session that obeys the policy; raises ValueError where a file of authorities cannot be read."""
    tls = await asyncio.to_thread(TlsSettings.load, policy)
    guard = Guard(policy)
    connector = aiohttp.TCPConnector(
        socket_factory=guard.make_socket,
        limit=MAX_CONNECTIONS,
        limit_per_host=MAX_CONNECTIONS_PER_HOST,
        keepalive_timeout=KEEP_ALIVE,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        headers=default_headers(),
        timeout=STREAM_TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=READ_AHEAD,
        max_line_size=MAX_HEADER_LINE,
        max_field_size=MAX_HEADER_LINE,
    ) as http:
        bulk = BulkExchanges(Dialer(guard, tls, CONNECT_TIMEOUT), timeout=READ_TIMEOUT)
        try:
            yield Outgoing(http, bulk, tls, policy)
        finally:
            bulk.close()


def default_headers() -> dict[str, str]:
    """Return what every request carries; bodies come as they are, since their digests are those of the bytes."""
    return {"User-Agent": user_agent(), "Accept-Encoding": "identity"}


def user_agent() -> str:
    """Return `longshore/<version>`."""
    return f"longshore/{product_version()}"
