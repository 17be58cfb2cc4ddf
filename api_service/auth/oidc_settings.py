"""The settings of the OIDC issuer, whose JWTs the API accepts in addition to its own tokens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from environs import FileAwareEnv
from marshmallow import ValidationError, validate

from shared.network.hosts import AllowedPrivate, HostPort
from shared.network.policy import HTTP_PORT, NetworkPolicy

# Signatures that only the issuer can make (RFC 7518, RFC 9864). Never HS*: its key is shared, and a public key that is
# used as a shared secret is the classic attack. Never `none`.
SUPPORTED_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519"),
)
DEFAULT_ALGORITHMS = ["RS256", "PS256", "ES256"]

# A JWT cannot be revoked, so its lifetime is the time for which a stolen one works. A day is the longest lifetime that
# common issuers give without being asked to (Auth0, Dex); most give five minutes to an hour. Seconds.
DEFAULT_MAX_TOKEN = 24 * 3_600
MIN_MAX_TOKEN = 60
MAX_MAX_TOKEN = 366 * 24 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The trusted issuer, and the meaning of its tokens' claims.

    `jwks_url` None: as the issuer's discovery document says. `user_claim` None: a user is the issuer's `sub`, and is
    shown as `preferred_username`; otherwise a user is this claim's value, as in an API token. `roles_claim` and
    `groups_claim` may be a path such as `realm_access.roles`. A token with none of the mapped values has the role user.
    `max_token` is the longest accepted lifetime of a token in seconds.
    """

    issuer: str
    audience: str
    jwks_url: str | None
    algorithms: tuple[str, ...]
    user_claim: str | None
    roles_claim: str | None
    groups_claim: str | None
    admin_values: frozenset[str]
    worker_values: frozenset[str]
    max_token: int
    network: NetworkPolicy

    def __post_init__(self) -> None:
        if not self.issuer:
            raise ValueError("an empty issuer stands for Longshore's own users")


def read_oidc(env: FileAwareEnv, network: NetworkPolicy) -> OidcSettings | None:
    """Read the settings; None if no issuer is configured.

    The hosts in these settings may be private; an address in the discovery document is checked like any other.
    """
    address = _address_check(network)
    issuer: str = env.str("OIDC_ISSUER", "", validate=address)
    jwks_url: str = env.str("OIDC_JWKS_URL", "", validate=address)
    if not issuer:
        return None
    named = tuple(AllowedPrivate.parse(urlsplit(url).netloc) for url in (issuer, jwks_url) if url)
    return OidcSettings(
        issuer=issuer,
        audience=env.str("OIDC_AUDIENCE", validate=validate.Length(min=1)),
        jwks_url=jwks_url or None,
        algorithms=tuple(env.list("OIDC_ALGORITHMS", DEFAULT_ALGORITHMS, validate=_algorithms) or ()),
        user_claim=env.str("OIDC_USER_CLAIM", "") or None,
        roles_claim=env.str("OIDC_ROLES_CLAIM", "") or None,
        groups_claim=env.str("OIDC_GROUPS_CLAIM", "") or None,
        admin_values=_values(env, "OIDC_ADMIN_VALUES"),
        worker_values=_values(env, "OIDC_WORKER_VALUES"),
        max_token=env.int(
            "OIDC_MAX_TOKEN_SECONDS", DEFAULT_MAX_TOKEN, validate=validate.Range(MIN_MAX_TOKEN, MAX_MAX_TOKEN)
        ),
        network=replace(network, allowed_private=(*network.allowed_private, *named)),
    )


def is_allowed_url(url: str, network: NetworkPolicy) -> bool:
    """Return whether keys may be fetched from this URL: https, or http from a host in PLAIN_HTTP_HOSTS."""
    try:
        parts = urlsplit(url)
        host = HostPort.parse(parts.netloc)
    except ValueError:
        return False
    if parts.scheme == "http":
        return network.allows_plain(host.host, host.port or HTTP_PORT)
    return parts.scheme == "https"


def _address_check(network: NetworkPolicy) -> Callable[[str], None]:
    def check(url: str) -> None:
        if url and (not is_allowed_url(url, network) or urlsplit(url).query or urlsplit(url).fragment):
            raise ValidationError("not https://host[:port][/path]; http is for hosts listed in PLAIN_HTTP_HOSTS")

    return check


def _algorithms(names: list[str]) -> None:
    if not names or not set(names) <= set(SUPPORTED_ALGORITHMS):
        raise ValidationError(f"has others than {', '.join(SUPPORTED_ALGORITHMS)}, or none")


def _values(env: FileAwareEnv, name: str) -> frozenset[str]:
    values: list[str] | None = env.list(name, [])
    return frozenset(value.strip() for value in values or () if value.strip())
