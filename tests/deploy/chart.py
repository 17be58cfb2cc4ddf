"""Renders the Helm chart."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.tools import HELM

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "longshore"
# These files of values together set every option to both states.
VALUES = ("minimal", "everything", "bare")
NEWEST = "1.37.0"
# Seconds for one command, which takes a tenth of a second.
HELM_SECONDS = 60

Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm; the caller checks the exit status."""
    return subprocess.run(
        [str(HELM.path), *arguments], capture_output=True, text=True, timeout=HELM_SECONDS, check=False
    )


def values_file(name: str) -> Path:
    return CHART / "ci" / f"{name}-values.yaml"


def render(name: str, *settings: str, chart: Path = CHART) -> list[Object]:
    """Render the chart with a file of values and `path=value` settings."""
    more = [part for setting in settings for part in ("--set", setting)]
    done = helm(
        *("template", "release", str(chart), "--namespace", "images", "--kube-version", NEWEST),
        *("--values", str(values_file(name)), *more),
    )
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def pick(objects: list[Object], kind: str, component: str) -> Object:
    """Return the one object of this kind and component."""
    (found,) = (
        each
        for each in objects
        if each["kind"] == kind and each["metadata"]["labels"]["app.kubernetes.io/component"] == component
    )
    return found


def pods(objects: list[Object]) -> dict[str, Object]:
    """Return the pods' specs by component."""
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["template"]["spec"]
        for each in objects
        if each["kind"] in {"Deployment", "Job"}
    }


def environment(objects: list[Object], component: str) -> dict[str, str]:
    """Return the environment variables that the chart sets for a component's process."""
    (container,) = pods(objects)[component]["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        name = source["configMapRef"]["name"]
        (config,) = (each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name)
        found |= config["data"]
    return found | {each["name"]: each.get("value", "") for each in container["env"]}
