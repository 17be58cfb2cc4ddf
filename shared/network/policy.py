"""The operator's network settings: which hosts Longshore may call, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from shared.network.addresses import Address, is_public
from shared.network.hosts import AllowedPrivate, HostPort

HTTP_PORT = 80
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """Settings for one side's outgoing requests; they are checked on every connection and redirect.

    `plain_http` holds `host:port`. `ca_files` maps `host[:port]` to a file of certificate authorities that are
    trusted for it in addition to the system's. `token_realms` maps a registry (`host[:port]`) to the `host[:port]`
    of its token service. `trusted` is for hosts that the operator configured: their addresses are not checked.
    """

    allowed_private: tuple[AllowedPrivate, ...] = ()
    plain_http: frozenset[str] = frozenset()
    ca_files: Mapping[str, str] = field(default_factory=dict)
    token_realms: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False

    @classmethod
    def of(
        cls,
        *,
        allowed_private: Sequence[str] = (),
        plain_http: Sequence[str] = (),
        ca_files: Mapping[str, str] | None = None,
        token_realms: Mapping[str, str] | None = None,
        trusted: bool = False,
    ) -> "NetworkPolicy":
        """Parse the settings; raises ValueError with a sentence that names the invalid entry."""
        return cls(
            allowed_private=tuple(AllowedPrivate.parse(entry) for entry in allowed_private),
            plain_http=frozenset(_with_port(entry, HTTP_PORT) for entry in plain_http),
            ca_files={_normal(host): _existing(path) for host, path in (ca_files or {}).items()},
            token_realms={_normal(host): _normal(realm) for host, realm in (token_realms or {}).items()},
            trusted=trusted,
        )

    def allows(self, requested: str, address: Address, port: int) -> bool:
        """Return whether a request for the host `requested` may connect to this address."""
        if self.trusted or is_public(address):
            return True
        return any(entry.covers(requested, address, port) for entry in self.allowed_private)

    def allows_plain(self, host: str, port: int) -> bool:
        """Return whether the host may be called without TLS."""
        return f"{host}:{port}" in self.plain_http

    def scheme(self, authority: str) -> str:
        """Return http or https for a registry's `host[:port]`."""
        return "http" if _with_port(authority, HTTP_PORT) in self.plain_http else "https"

    def ca_file(self, host: str, port: int) -> str | None:
        """Return the file of authorities for this host; an entry with the port takes precedence over one without."""
        return self.ca_files.get(f"{host}:{port}") or self.ca_files.get(host)


# Cached, because every request needs it several times for the same few hosts.
@lru_cache(maxsize=256)
def _with_port(authority: str, default: int) -> str:
    entry = HostPort.parse(authority)
    return f"{entry.host}:{entry.port or default}"


def _normal(authority: str) -> str:
    entry = HostPort.parse(authority)
    return f"{entry.host}:{entry.port}" if entry.port else entry.host


def _existing(path: str) -> str:
    if not Path(path).is_file():
        raise ValueError(f"{path!r} is not a file of certificate authorities")
    return path
