"""Decides where a registry's token service may be, and whether it may receive the password.

The registry chooses the realm of a challenge, so a hostile registry could have the password sent anywhere.
Credentials go to a realm on the registry's own host name (any port: GitLab's registry listens beside its token
service), or to the one that is pinned for that registry; to any other, the request is sent without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

from shared.network.hosts import HostPort
from shared.network.policy import NetworkPolicy

# Registries, by their names in references, whose token service has a different host name.
PINNED: Final[Mapping[str, str]] = {
    "docker.io": "auth.docker.io",
    "registry.digitalocean.com": "api.digitalocean.com",
    "registry.gitlab.com": "gitlab.com",
}


@dataclass(frozen=True, slots=True)
class Realm:
    """A token service's address, and whether credentials may be sent to it."""

    url: URL
    trusted: bool


def read_realm(text: str, registry: str, base: URL, policy: NetworkPolicy) -> Realm:
    """Check the realm of a challenge from `registry`, whose address is `base`.

    Raises ValueError with the reason as a clause if no request may be sent to the realm.
    """
    try:
        url = URL(text, encoded=True)
        host, port = (url.raw_host or "").lower(), url.port
    except ValueError:
        host, port = "", None
    if not host or port is None or url.scheme not in ("http", "https") or url.raw_user is not None:
        raise ValueError("its token service has no usable address")
    if url.scheme == "http" and base.scheme == "https":
        raise ValueError(f"its token service is at http://{host}:{port}, while the registry itself is under TLS")
    if url.scheme == "http" and not policy.allows_plain(host, port):
        raise ValueError(f"its token service is at http://{host}:{port}, which is not listed for plain http")
    return Realm(
        url.with_fragment(None), host == (base.raw_host or "").lower() or _pinned(registry, host, port, policy)
    )


def _pinned(registry: str, host: str, port: int, policy: NetworkPolicy) -> bool:
    name = policy.token_realms.get(registry) or PINNED.get(registry)
    return name is not None and HostPort.parse(name).covers(host, port)
