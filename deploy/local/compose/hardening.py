"""Checks that containers are unprivileged, read-only and limited, and that no image or log contains a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.local.compose.docker import Docker

# The prefix of the volumes that contain the secrets.
SECRETS = "longshore_secrets-"
NO_CAPABILITY = "0" * 16
# Passwords and keys are longer. Shorter content of a secret's file, such as an empty list, is not secret.
LEAST_SECRET = 16


def check_containers(containers: Iterable[Mapping[str, Any]]) -> None:
    """Check every process in /proc; LocalStackError names the restriction that does not hold."""
    for container in containers:
        name = container["Name"].strip("/")
        for what, held in restrictions(container).items():
            if not held:
                raise LocalStackError(f"{name}: not {what}")


def restrictions(container: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each restriction whether it holds for a running container."""
    status = process_status(container["State"]["Pid"])
    host = container["HostConfig"]
    ours = "longshore/" in container["Config"]["Image"]
    return {
        "run by an ordinary user": "0" not in status["Uid"].split(),
        "without capabilities": {status["CapEff"], status["CapPrm"], status["CapBnd"]} == {NO_CAPABILITY},
        "kept from new privileges": status["NoNewPrivs"] == "1",
        "confined by seccomp": status["Seccomp"] == "2",
        "limited in memory": host["Memory"] > 0,
        "on a read-only root": host["ReadonlyRootfs"] or not ours,
        "limited in its log": "max-size" in host["LogConfig"]["Config"],
    }


def process_status(pid: int) -> dict[str, str]:
    """Read /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_secrets(volumes: Path) -> dict[str, str]:
    """Return the project's secrets by the path of their file: of a URL the password, of definitions the hash."""
    found = {}
    for path in volumes.glob(f"{SECRETS}*/_data/*"):
        content = path.read_text().strip()
        if path.suffix == ".json":
            content = json.loads(content)["users"][0]["password_hash"]
        if "://" in content:
            content = content.rpartition("@")[0].rpartition(":")[2]
        if len(content) >= LEAST_SECRET:
            found[f"{path.parent.parent.name}/{path.name}"] = content
    return found


def check_no_secret(docker: Docker, images: Iterable[str], secrets: Mapping[str, str]) -> int:
    """Search images, containers and logs for the secrets; return the number of characters searched."""
    texts = {f"history of {image}": docker("history", "--no-trunc", image) for image in images}
    texts |= {f"configuration of {image}": docker("image", "inspect", image) for image in images}
    texts["containers"] = json.dumps(docker.containers(every=True))
    texts["logs"] = docker.compose("logs", "--no-color")
    for where, text in texts.items():
        for name, secret in secrets.items():
            if secret in text:
                raise LocalStackError(f"the {where} contains the secret {name}")
    return sum(map(len, texts.values()))
