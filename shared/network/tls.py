"""TLS settings: certificates are always verified, by the operator's own authorities if a host has any."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shared.network.policy import NetworkPolicy


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """One SSL context for all hosts, and one for each file of certificate authorities."""

    policy: NetworkPolicy
    common: ssl.SSLContext
    by_file: Mapping[str, ssl.SSLContext]

    @classmethod
    def load(cls, policy: NetworkPolicy) -> "TlsSettings":
        """Read the authorities from disk (blocking); raises ValueError that names an unreadable file."""
        by_file = {path: _with_authorities(path) for path in set(policy.ca_files.values())}
        return cls(policy, _system_context(), by_file)

    def context(self, host: str, port: int) -> ssl.SSLContext:
        """Return the context for a connection to this host."""
        path = self.policy.ca_file(host, port)
        return self.by_file[path] if path else self.common


@cache
def _system_context() -> ssl.SSLContext:
    """Return the context with the system's authorities; cached, because reading them takes 50 ms."""
    return _context()


def _with_authorities(path: str) -> ssl.SSLContext:
    context = _context()
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError):
        raise ValueError(f"{path!r} holds no certificate authorities in PEM form") from None
    return context


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
