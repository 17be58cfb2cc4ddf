"""The docker command, with compose."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from deploy.local.go.program import GoProgram
from deploy.local.processes.scratch import CLEAN_ENVIRONMENT, LocalStackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION = "v2.40.3"
# Debian 12 packages compose 1, which lacks `service_completed_successfully` and supports profiles only in part.
COMPOSE = GoProgram(
    name="compose",
    package="github.com/docker/compose/v2/cmd",
    version=VERSION,
    program="docker-compose",
    excludes=True,
    flags=f"-s -w -X github.com/docker/compose/v2/internal.Version={VERSION}",
)
# Seconds for one command. The longest installs all Python packages into an image.
COMMAND_SECONDS = 600.0
TAIL_LINES = 40


class Docker:
    """Runs `docker` on one engine, in the folder of one compose file."""

    def __init__(self, host: str, *, configuration: Path, folder: Path) -> None:
        self.folder = folder
        self._own = {"DOCKER_HOST": host, "DOCKER_CONFIG": str(configuration), "HOME": str(configuration)}
        plugin = configuration / "cli-plugins/docker-compose"
        plugin.parent.mkdir(parents=True)
        plugin.symlink_to(COMPOSE.path)

    def __call__(self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run `docker ARGUMENTS` and return its output; LocalStackError if it fails."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=self.folder,
            env=CLEAN_ENVIRONMENT | self._own | dict(env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            output = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-TAIL_LINES:])
            raise LocalStackError(f"docker {' '.join(arguments)} ended with {done.returncode}\n{output}")
        return done.stdout.strip()

    def build(self, *arguments: str, stdin: str | None = None) -> None:
        """Run `docker build ARGUMENTS` with the engine's built-in builder."""
        self("build", *arguments, stdin=stdin, env={"DOCKER_BUILDKIT": "0"})

    def compose(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run `docker compose ARGUMENTS`."""
        return self("compose", *arguments, env=env)

    def inspect(self, *names: str) -> list[dict[str, Any]]:
        """Return the engine's description of containers, images or networks."""
        found: list[dict[str, Any]] = json.loads(self("inspect", *names))
        return found

    def containers(self, *services: str, every: bool = False) -> list[dict[str, Any]]:
        """Return the descriptions of the project's containers; `every` includes those that have exited."""
        ids = self.compose("ps", "--quiet", *(["--all"] if every else []), *services).split()
        return self.inspect(*ids) if ids else []
