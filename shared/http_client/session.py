"""The HTTP client session for all outgoing requests: every connection is guarded, and no cookie is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from shared.http_client.bulk.dialer import Dialer
from shared.http_client.bulk.exchange import BulkExchanges
from shared.http_client.resolver import Resolver
from shared.model.version import product_version
from shared.network.guard import Guard
from shared.network.policy import NetworkPolicy
from shared.network.tls import TlsSettings

# Seconds for opening a connection, TLS included.
CONNECT_TIMEOUT = 10
# Seconds without a byte from the server while Longshore waits for a response or reads one.
READ_TIMEOUT = 60
# Seconds for a whole exchange whose bodies fit in memory: bounds a server that sends one byte at a time.
SMALL_EXCHANGE_TIMEOUT = 120
# Connections of one session, in total and per host: more than the import limits of a process allow, so that a small
# request never waits behind layers.
MAX_CONNECTIONS = 512
MAX_CONNECTIONS_PER_HOST = 128
# Bytes read ahead per connection; 1 MiB about doubled streaming speed against the default of 64 KiB (measured).
READ_AHEAD = 1024 * 1024
# Bytes of one header line. Presigned storage addresses and upload states exceed the default of 8 KiB.
MAX_HEADER_LINE = 32 * 1024
# Seconds that an idle connection is kept.
KEEP_ALIVE = 30

SMALL_TIMEOUT = aiohttp.ClientTimeout(
    total=SMALL_EXCHANGE_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT
)
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A session and its rules; `bulk` transfers bodies that are too large for `http`."""

    http: aiohttp.ClientSession
    bulk: BulkExchanges
    tls: TlsSettings
    policy: NetworkPolicy


@asynccontextmanager
async def open_outgoing(policy: NetworkPolicy) -> AsyncIterator[Outgoing]:
    """Open a session that obeys the policy; raises ValueError if a file of certificate authorities is unreadable."""
    tls = await asyncio.to_thread(TlsSettings.load, policy)
    guard, resolver = Guard(policy), Resolver(timeout=CONNECT_TIMEOUT)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
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
        bulk = BulkExchanges(Dialer(resolver, guard, tls, CONNECT_TIMEOUT), timeout=READ_TIMEOUT)
        try:
            yield Outgoing(http, bulk, tls, policy)
        finally:
            bulk.close()
            await resolver.close()


def default_headers() -> dict[str, str]:
    """Return the headers of every request; bodies stay uncompressed, because digests are of the transferred bytes."""
    return {"User-Agent": user_agent(), "Accept-Encoding": "identity"}


def user_agent() -> str:
    """Return `longshore/<version>`."""
    return f"longshore/{product_version()}"
