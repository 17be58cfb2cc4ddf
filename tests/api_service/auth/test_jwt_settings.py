"""The settings of the OIDC issuer."""

import pytest

from api_service.settings import Settings, read_settings
from shared.network.policy import NetworkPolicy
from shared.settings import SettingsError

ENVIRONMENT = {
    "DATABASE_URL": "postgresql://x",
    "AMQP_URL": "amqp://x",
    "TARGET_URL": "https://registry.example.com",
    "SECRET_KEYS": "kPZ8o0l7M2vCDZCBZbjPpVsMDZpXlQ0wQLHyDp2gqhc=",
    "OIDC_ISSUER": "https://id.example.com/realms/main",
    "OIDC_AUDIENCE": "longshore",
}


def read_with(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    for name, value in (ENVIRONMENT | changes).items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_settings_have_safe_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the issuer's own host may have a private address, and no user is an admin by default."""
    oidc = read_with(monkeypatch).oidc
    assert oidc
    assert (oidc.issuer, oidc.audience, oidc.jwks_url) == (
        "https://id.example.com/realms/main",
        "longshore",
        None,
    )
    assert (oidc.algorithms, oidc.user_claim, oidc.groups_claim) == (("RS256", "PS256", "ES256"), None, None)
    assert oidc.max_token == 24 * 3_600
    assert not oidc.admin_values
    assert not oidc.worker_values
    assert [entry.name for entry in oidc.network.allowed_private] == ["id.example.com"]
    assert not oidc.network.trusted


def test_without_an_issuer_there_are_no_jwts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_with(monkeypatch, OIDC_ISSUER="").oidc is None


def test_empty_mappings_map_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file passes an unset variable as an empty text; an empty claim value must not make an admin."""
    oidc = read_with(monkeypatch, OIDC_ADMIN_VALUES="", OIDC_WORKER_VALUES=" , ", OIDC_ROLES_CLAIM="").oidc
    assert oidc
    named = read_with(monkeypatch, OIDC_USER_CLAIM="", OIDC_GROUPS_CLAIM="").oidc
    assert named
    assert (named.user_claim, named.groups_claim) == (None, None)
    assert (oidc.admin_values, oidc.worker_values, oidc.roles_claim) == (frozenset(), frozenset(), None)


def test_settings_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    oidc = read_with(
        monkeypatch,
        OIDC_ISSUER="http://127.0.0.1:9000",
        PLAIN_HTTP_HOSTS="127.0.0.1:9000",
        OIDC_JWKS_URL="https://keys.example.com/k",
        OIDC_ALGORITHMS="ES256,Ed25519",
        OIDC_USER_CLAIM="email",
        OIDC_ROLES_CLAIM="groups",
        OIDC_GROUPS_CLAIM="team.groups",
        OIDC_MAX_TOKEN_SECONDS="3600",
        OIDC_ADMIN_VALUES="a,b",
        OIDC_WORKER_VALUES="w",
    ).oidc
    assert oidc
    assert (oidc.issuer, oidc.jwks_url) == ("http://127.0.0.1:9000", "https://keys.example.com/k")
    assert (oidc.algorithms, oidc.user_claim, oidc.roles_claim) == (("ES256", "Ed25519"), "email", "groups")
    assert (oidc.admin_values, oidc.worker_values) == (frozenset({"a", "b"}), frozenset({"w"}))
    assert (oidc.groups_claim, oidc.max_token) == ("team.groups", 3600)
    assert isinstance(oidc.network, NetworkPolicy)
    assert oidc.network.allows_plain("127.0.0.1", 9000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ISSUER", "http://id.example.com"),
        ("OIDC_ISSUER", "id.example.com"),
        ("OIDC_ISSUER", "https://id.example.com?a=b"),
        ("OIDC_ISSUER", "https://user@id.example.com"),
        ("OIDC_JWKS_URL", "http://id.example.com/keys"),
        ("OIDC_JWKS_URL", "file:///etc/passwd"),
        ("OIDC_ALGORITHMS", "HS256"),
        ("OIDC_ALGORITHMS", "none"),
        ("OIDC_ALGORITHMS", "RS256,HS512"),
        ("OIDC_AUDIENCE", ""),
        ("OIDC_MAX_TOKEN_SECONDS", "0"),
        ("OIDC_MAX_TOKEN_SECONDS", "never"),
    ],
)
def test_unsafe_settings_do_not_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Keys over plain http, shared-secret algorithms, and tokens for any audience are refused."""
    with pytest.raises(SettingsError, match=name):
        read_with(monkeypatch, **{name: value})
