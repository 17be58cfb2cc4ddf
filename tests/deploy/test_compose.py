"""deploy/compose.yaml sets only settings that the services read, and restricts every container."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import api_service.settings
import import_worker.settings
from api_service.settings import DEFAULT_DRAIN
from api_service.web.serve import SHUTDOWN_TIMEOUT
from deploy import make_secrets
from deploy.reference.__main__ import SERVICES as SERVICES_OF_REFERENCE
from deploy.reference.settings import setting_facts
from shared.runtime.secret_box import SecretBox

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
EXAMPLE = (DEPLOY / ".env.example").read_text()
DEFINITIONS = json.loads((DEPLOY / "rabbitmq" / "definitions.json").read_text())

SETTINGS = setting_facts(SERVICES_OF_REFERENCE)
# Variables for the command line in the API's container, and for compose itself.
COMMAND_LINE = {"LONGSHORE_URL"}
COMPOSES_OWN = {"COMPOSE_PROFILES"}
_VARIABLE = re.compile(r"\$\{([A-Z_]+)")
_ASSIGNED = re.compile(r"^#? ?([A-Z_]+)=(.*)$", re.MULTILINE)
_SECONDS = re.compile(r"([0-9]+)s")


def seconds(text: str) -> float:
    match = _SECONDS.fullmatch(text)
    assert match, text
    return float(match[1])


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder of the secrets after the first start."""
    for name in ("postgres", "rabbitmq", "services", "worker", "worker-urls", "grafana"):
        (tmp_path / name).mkdir()
    make_secrets.make_missing(tmp_path, DEFINITIONS)
    (tmp_path / "worker" / "token").write_text("lsh_made_by_the_job\n")
    return tmp_path


def started_with(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of the service's container: the settings of .env.example, overridden by its own."""
    active = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if line and not line.startswith("#"))
    own = {key: str(value) for key, value in SERVICES[name]["environment"].items() if "${" not in str(value)}
    (secrets / "target_password").write_text("")
    for key, value in (active | own).items():
        here = value.replace("/run/longshore", str(secrets)).replace("/run/secrets", str(secrets))
        monkeypatch.setenv(key, here)


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_given_settings_that_exist(name: str) -> None:
    """A renamed setting must not leave its old name behind."""
    given = {key.removesuffix("_FILE") for key in SERVICES[name].get("environment", {})}
    assert given <= SETTINGS.keys() | COMMAND_LINE


def test_the_example_explains_settings_that_exist() -> None:
    """A service or compose.yaml reads each of them."""
    explained = {name for name, _ in _ASSIGNED.findall(EXAMPLE)}
    read = set(_VARIABLE.findall((DEPLOY / "compose.yaml").read_text()))
    assert explained <= SETTINGS.keys() | read | COMPOSES_OWN
    assert {"TARGET_URL", "TARGET_NAME", "ALLOWED_PRIVATE", "OIDC_ISSUER"} <= explained


def test_the_api_starts_with_what_it_is_given(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copied example and the generated secrets are sufficient."""
    started_with("api", secrets, monkeypatch)
    settings = api_service.settings.read_settings()
    assert settings.shared.target.host == "registry:5000"
    assert settings.target_name == "localhost:5000"
    assert settings.metrics_port == 9090
    assert re.fullmatch(r"postgresql://longshore:[0-9a-f]{64}@postgres:5432/longshore", settings.shared.database_url)
    assert (secrets / "postgres" / "password").read_text().strip() in settings.shared.database_url


def test_the_worker_starts_with_what_it_is_given(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started_with("worker", secrets, monkeypatch)
    settings = import_worker.settings.read_settings()
    assert (settings.api_url, settings.api_token) == ("http://api:8080", "lsh_made_by_the_job")
    assert re.fullmatch(r"amqp://longshore:[0-9a-f]{64}@rabbitmq:5672/", settings.shared.amqp_url)
    assert re.fullmatch(r"postgresql://longshore_worker:[0-9a-f]{64}@\S+/longshore", settings.shared.database_url)
    assert settings.shared.database_url == (secrets / "services" / "worker_database_url").read_text().strip()
    assert settings.stop_grace < seconds(SERVICES["worker"]["stop_grace_period"])


def test_a_worker_sees_no_key_and_not_the_apis_database_role() -> None:
    """It reads what any user names as a source, so it holds as little as it can."""
    worker = SERVICES["worker"]
    assert "SECRET_KEYS_FILE" not in worker["environment"]
    assert not [volume for volume in worker["volumes"] if volume.startswith("secrets-services:")]


def test_without_an_own_env_file_compose_says_what_is_missing() -> None:
    """There is no default target, so that no image is imported into one by accident."""
    assert all(
        "${TARGET_URL:?" in service["environment"]["TARGET_URL"]
        for service in OURS.values()
        if service.get("environment")
    )


def test_no_secret_stands_in_the_files() -> None:
    """Every password and key is in a generated file, or in a file that the operator names."""
    for name, service in SERVICES.items():
        for key in service.get("environment") or {}:
            assert key.endswith("_FILE") or not re.search("PASS|TOKEN|KEY|SECRET|DATABASE_URL|AMQP_URL", key), (
                name,
                key,
            )
    assert not [
        name for name, value in _ASSIGNED.findall(EXAMPLE) if value and "PASSWORD" in name and "_FILE" not in name
    ]


def test_secrets_are_made_once(secrets: Path) -> None:
    """A restart must not lock the services out of the database, which has the first password."""
    before = {path: path.read_text() for path in secrets.rglob("*") if path.is_file() and path.suffix != ".json"}
    make_secrets.make_missing(secrets, DEFINITIONS)
    assert {path: path.read_text() for path in before} == before
    own = [text for path, text in before.items() if path.parent.name != "worker-urls"]
    assert len(set(own)) == len(own)


def test_a_new_key_opens_what_the_old_one_sealed(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented rotation of the key of stored accounts: add the new key, reseal, drop the old one."""
    monkeypatch.setattr(make_secrets, "ROOT", secrets)
    path = secrets / "services" / "secret_keys"
    old = path.read_text().strip()
    sealed = SecretBox([old]).seal("account")
    make_secrets.main(["new-key"])
    new, *others = path.read_text().strip().split(",")
    assert others == [old]
    both = SecretBox([new, old])
    resealed = both.seal(both.open(sealed))
    make_secrets.main(["drop-old-keys"])
    assert path.read_text().strip() == new
    assert SecretBox([new]).open(resealed) == "account"


def test_each_container_sees_its_own_secrets_alone() -> None:
    """PostgreSQL's container, for example, does not see the key of stored accounts."""
    seen = {
        name: {mount.split(":")[0] for mount in service.get("volumes", []) if mount.startswith("secrets-")}
        for name, service in SERVICES.items()
        if name != "make-secrets"
    }
    assert {name: volumes for name, volumes in seen.items() if volumes} == {
        "postgres": {"secrets-postgres"},
        "rabbitmq": {"secrets-rabbitmq"},
        "grafana": {"secrets-grafana"},
        "migrate": {"secrets-services"},
        "worker-token": {"secrets-services", "secrets-worker"},
        "api": {"secrets-services"},
        "worker": {"secrets-worker", "secrets-worker-urls"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_kept_small(name: str) -> None:
    """No capability and no way to gain one, a memory limit, and a read-only root for Longshore's own."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service.get("read_only") or name not in OURS
    assert "privileged" not in service
    assert service.get("cap_add", []) == (["CHOWN"] if name == "make-secrets" else [])


def test_the_api_has_the_time_that_its_end_takes() -> None:
    """Docker kills processes that still run after the grace period."""
    assert seconds(SERVICES["api"]["stop_grace_period"]) > DEFAULT_DRAIN + SHUTDOWN_TIMEOUT


def test_only_loopback_is_published() -> None:
    """Other machines reach only the TLS proxy."""
    services = {name: service for name, service in SERVICES.items() if name != "proxy"}
    ports = [port.replace("${API_BIND:-", "") for service in services.values() for port in service.get("ports", [])]
    assert {port.split(":")[0] for port in ports} == {"127.0.0.1"}
    assert SERVICES["proxy"]["profiles"] == ["tls"]
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == SERVICES["rabbitmq"]["networks"] == ["data"]


def test_prometheus_scrapes_what_is_served() -> None:
    """Service names and ports are those of compose.yaml."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    scraped = {
        (names[0]["names"][0], names[0]["port"])
        for names in (job["dns_sd_configs"] for job in config["scrape_configs"])
    }
    environments = {name: SERVICES[name]["environment"] for name in ("api", "worker")}
    assert scraped == {
        ("api", int(environments["api"]["METRICS_PORT"])),
        ("worker", int(environments["worker"]["WORKER_HEALTH_PORT"])),
    }


def test_rabbitmq_knows_its_container() -> None:
    """RabbitMQ's configuration has the container's memory limit and the path of its definitions."""
    lines = (DEPLOY / "rabbitmq" / "longshore.conf").read_text().splitlines()
    conf = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    assert conf["total_memory_available_override_value"].lower() == f"{SERVICES['rabbitmq']['mem_limit']}b"
    folder = conf["load_definitions"].rpartition("/")[0]
    assert f"secrets-rabbitmq:{folder}:ro" in SERVICES["rabbitmq"]["volumes"]
