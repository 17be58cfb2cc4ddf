"""`host[:port]` as operators and registries write it, and the entries of an operator's lists."""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from shared.network.addresses import Address, Network, embedded_ipv4

MAX_PORT = 65535
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host by name or IP literal (without brackets), and a port if one is given."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "HostPort":
        """Read `name`, `name:port`, `1.2.3.4[:port]`, `::1` or `[::1][:port]`; raises ValueError."""
        lowered = text.strip().lower()
        if _is_ip(lowered):
            return cls(lowered)
        host, colon, port = lowered.rpartition(":")
        if not colon or port.endswith("]"):
            host, colon = lowered, ""
        host = _bare(host)
        if not (_is_ip(host) or _NAME.fullmatch(host)):
            raise ValueError(f"{text[:100]!r} is not a host or host:port")
        return cls(host, _port(port, text) if colon else None)

    def covers(self, host: str, port: int) -> bool:
        """Return whether this entry of a list covers the host; without a port, it covers every port."""
        return self.host == host and self.port in (None, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPrivate:
    """One entry of ALLOWED_PRIVATE: a network or address, or a name that may resolve to a private address.

    `port` restricts the entry to one port if it is set.
    """

    network: Network | None = None
    name: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "AllowedPrivate":
        """Read a CIDR, an ip[:port] or a host[:port]; raises ValueError with a sentence."""
        if "/" in text:
            return cls(network=_network(text))
        entry = HostPort.parse(text)
        if _is_ip(entry.host):
            return cls(network=ip_network(entry.host), port=entry.port)
        return cls(name=entry.host, port=entry.port)

    def covers(self, requested: str, address: Address, port: int) -> bool:
        """Return whether this entry allows a request for the host `requested` to connect to the address and port."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return self.name == requested
        return address in self.network or embedded_ipv4(address) in self.network


def _network(text: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError:
        raise ValueError(f"{text[:100]!r} is not a network (address/prefix length, without host bits)") from None


def _port(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits) <= MAX_PORT:
        raise ValueError(f"{text[:100]!r} has no port between 1 and {MAX_PORT} after its colon")
    return int(digits)


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
