"""What containers and images must not be: privileged, writable, unlimited, talkative about secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.local.compose.docker import Docker

# How the volumes are called that hold them.
SECRETS = "longshore_secrets-"
NO_CAPABILITY = "0" * 16
# Passwords and keys are longer; shorter content of a file of secrets is no secret, such as an empty list.
LEAST_SECRET = 16


def check_containers(containers: Iterable[Mapping[str, Any]]) -> None:
    """Look at every process as the kernel sees it; LocalStackError for what may do more than it should."""
    for container in containers:
        name = container["Name"].strip("/")
        for what, held in restrictions(container).items():
            if not held:
                raise LocalStackError(f"{name}: not {what}")


def restrictions(container: Mapping[str, Any]) -> dict[str, bool]:
    """Tell of a running container which of the restrictions hold."""
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
    """Read proc(5)'s status of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def read_secrets(volumes: Path) -> dict[str, str]:
    """Return every secret of the project by the path of its file; a URL's password, a hash, a key by itself."""
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


def check_silence(docker: Docker, images: Iterable[str], secrets: Mapping[str, str]) -> int:
    """Look for the secrets in what images, containers and logs tell; return how many characters were looked at."""
    told = {f"history of {image}": docker("history", "--no-trunc", image) for image in images}
    told |= {f"configuration of {image}": docker("image", "inspect", image) for image in images}
    told["containers"] = json.dumps(docker.containers(every=True))
    told["logs"] = docker.compose("logs", "--no-color")
    for where, text in told.items():
        for name, secret in secrets.items():
            if secret in text:
                raise LocalStackError(f"the {where} tell the secret {name}")
    return sum(map(len, told.values()))
