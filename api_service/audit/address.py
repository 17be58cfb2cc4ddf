"""The address that a request came from, also behind proxies. Pure."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

# Addresses of one X-Forwarded-For that are read, from its end: no chain of proxies is longer, and a caller may send
# thousands.
MAX_HOPS = 16
# Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
_WITH_PORT = re.compile(r"(?P<four>[0-9.]+):[0-9]+|\[(?P<six>[0-9a-fA-F:.]+)\](?::[0-9]+)?")


def client_address(peer: str | None, forwarded: Sequence[str], proxies: Sequence[Network]) -> str | None:
    """Return the connection's peer; if it is one of our proxies, the last address that none of our proxies has.

    `forwarded` are the values of X-Forwarded-For. Each proxy appends its own peer, so that everything before the last
    foreign address may be invented, and is ignored.
    """
    found = _parse(peer or "")
    if found is None:
        return None
    hops = [hop for value in forwarded for hop in value.rsplit(",", MAX_HOPS)]
    for hop in reversed(hops[-MAX_HOPS:]):
        if not _is_within(found, proxies):
            break
        before = _parse(hop.strip())
        if before is None:
            break
        found = before
    return str(found)


def _is_within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(match["four"] or match["six"] if match else text)
    except ValueError:
        return None
    # A server that listens on IPv6 sees IPv4 as ::ffff:192.0.2.1; a zone (%eth0) is any text.
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (None if address.scope_id else address)
    return address
