"""The container images and the compose file: pinned requirements, linters, and files that agree with each other."""

import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
EXAMPLE = ROOT / "deploy" / ".env.example"


def test_the_locks_hold_every_requirement_by_hash() -> None:
    """Each direct requirement is pinned, each pin has a hash, and no lock contains an index address."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {name.partition(">=")[0].partition("[")[0] for name in project["project"]["dependencies"]}
    for lock in ("requirements.txt", "requirements-tracing.txt", "requirements-dev.txt", "requirements-build.txt"):
        lines = (ROOT / lock).read_text().splitlines()
        pins = [line for line in lines if "==" in line]
        hashed = [line for line, following in pairwise(lines) if "==" in line and "--hash=" in following]
        assert pins == hashed
        assert not [line for line in lines if "://" in line or line.startswith("--")]
        if lock != "requirements-build.txt":
            assert wanted <= {pin.partition("==")[0] for pin in pins}


def test_the_dockerfile_passes_its_linter() -> None:
    """Hadolint finds mistakes that a build does not show."""
    subprocess.run([Path(sys.executable).parent / "hadolint", ROOT / "deploy" / "Dockerfile"], check=True)


def test_the_compose_file_passes_its_linter() -> None:
    """No duplicate key, no misleading indentation."""
    rules = "{extends: relaxed, rules: {line-length: {max: 120}, key-duplicates: enable}}"
    command = [Path(sys.executable).parent / "yamllint", "--strict", "-d", rules, str(COMPOSE)]
    subprocess.run([str(part) for part in command], check=True)


def test_compose_names_only_variables_that_the_example_explains() -> None:
    """.env.example has every variable that compose.yaml reads."""
    text = COMPOSE.read_text()
    read = {part.split(":")[0].split("}")[0] for part in text.split("${")[1:]}
    explained = {line.lstrip("# ").partition("=")[0] for line in EXAMPLE.read_text().splitlines() if "=" in line}
    assert read <= explained


def test_compose_checks_the_health_of_every_lasting_service() -> None:
    """No service starts before its dependencies are healthy."""
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert dockerfile.count("HEALTHCHECK") == 2
    for name, service in services.items():
        assert "healthcheck" in service or service["build"]["target"] in {"api", "worker"}, name
    assert services["api"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["worker"]["depends_on"]["api"] == {"condition": "service_healthy"}
