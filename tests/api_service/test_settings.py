"""The settings that the API reads from the environment."""

from pathlib import Path

import pytest

from api_service.imports.retry_policy import RetryPolicy
from api_service.settings import read_settings
from deploy.local.processes.server import new_key
from shared.planning.budget import DEFAULT_LIMITS, PlanLimits
from shared.settings import SettingsError
from shared.target.settings import TargetKind

NEEDED = {
    "DATABASE_URL": "postgresql://a:db-password@db/longshore",
    "AMQP_URL": "amqp://a:mq-password@mq/",
    "TARGET_URL": "https://Harbor.example.com:8443",
    "SECRET_KEYS": new_key(),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with the required settings, and nothing from this machine."""
    for name in ("API_HOST", "API_PORT", "DEFAULT_PROJECT", "TARGET_NAME", "DROP_HOST_FOR", "LEASE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_what_is_not_set_has_a_default() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.default_project, settings.lease) == ("imports", 30)
    assert settings.retries == RetryPolicy(max_failures=5, base=5)
    assert settings.drop_host_for == frozenset()


def test_the_targets_name_is_its_host_by_default(environment: pytest.MonkeyPatch) -> None:
    """A target that is reached by an internal address is shown with its public one."""
    assert read_settings().target_name == "harbor.example.com:8443"
    environment.setenv("TARGET_NAME", "registry.example.com")
    assert read_settings().target_name == "registry.example.com"


def test_the_targets_kind_is_not_guessed(environment: pytest.MonkeyPatch) -> None:
    """The default is a plain registry; an unknown kind is reported."""
    environment.delenv("TARGET_KIND", raising=False)
    assert read_settings().shared.target.kind is TargetKind.REGISTRY
    environment.setenv("TARGET_KIND", "harbor")
    assert read_settings().shared.target.kind is TargetKind.HARBOR
    environment.setenv("TARGET_KIND", "Harbour")
    with pytest.raises(SettingsError, match="TARGET_KIND"):
        read_settings()


def test_registries_are_known_by_one_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DROP_HOST_FOR", "index.docker.io,QUAY.io")
    assert read_settings().drop_host_for == {"docker.io", "quay.io"}


def test_a_secret_may_come_from_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Container platforms provide secrets as files; the trailing newline is not part of the secret."""
    file = tmp_path / "url"
    file.write_text("postgresql://from/a-file\n")
    environment.delenv("DATABASE_URL")
    environment.setenv("DATABASE_URL_FILE", str(file))
    assert read_settings().shared.database_url == "postgresql://from/a-file"


def test_secrets_do_not_show_in_the_settings_text() -> None:
    """An accidental print must not reveal them."""
    text = repr(read_settings())
    assert "password" not in text
    assert NEEDED["SECRET_KEYS"] not in text


def test_the_limits_of_an_image_reach_the_dry_run(environment: pytest.MonkeyPatch) -> None:
    """The API plans with the same limits as the workers."""
    assert read_settings().shared.plan_limits == DEFAULT_LIMITS
    environment.setenv("MAX_IMAGE_BYTES", "2000")
    environment.setenv("MAX_BLOB_BYTES", "1000")
    assert read_settings().shared.plan_limits == PlanLimits(image_bytes=2000, blob_bytes=1000)
    environment.setenv("MAX_BLOB_BYTES", "0")
    with pytest.raises(SettingsError, match="MAX_BLOB_BYTES"):
        read_settings()
