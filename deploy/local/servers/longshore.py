"""Longshore's own two services, run from the environment this program runs in."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.local.processes.scratch import CLEAN_ENVIRONMENT, LocalStackError, Process, Scratch
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seconds for commands that make a few statements and for the migrations of an empty database.
COMMAND_SECONDS = 60.0

# What a machine behind an inspecting proxy needs to trust registries on the internet; the rest of
# the caller's environment stays out.
INHERITED = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Service(Server):
    """A Longshore process that tells about itself on a loopback port of its own."""

    # Longer than the services' own grace period for what they are doing.
    stop_seconds = 30.0

    def __init__(self, scratch: Scratch, name: str, settings: Mapping[str, str]) -> None:
        super().__init__(scratch, name)
        self.port = scratch.ports.reserve()
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        self.settings = inherited | dict(settings)

    @property
    def url(self) -> str:
        """http:// URL, without a slash at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    def probe(self) -> bool:
        """Ask /readyz whether every part works."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return bool(json.load(connection.getresponse())["status"] == "ready")
        except (http.client.HTTPException, json.JSONDecodeError):
            return False
        finally:
            connection.close()


class Api(Service):
    """The API; the first start migrates the database."""

    def __init__(self, scratch: Scratch, settings: Mapping[str, str], *, name: str = "api") -> None:
        super().__init__(scratch, name, settings)
        self.settings |= {"API_HOST": LOOPBACK, "API_PORT": str(self.port)}

    def prepare(self) -> None:
        """Bring the database up to date."""
        self.command("migrate")

    def launch(self) -> Process:
        """Start serving."""
        return self.scratch.spawn(self.name, [command("longshore-api"), "serve"], env=self.settings)

    def command(self, *arguments: str) -> str:
        """Run a longshore-api command with these settings and return what it prints."""
        done = subprocess.run(
            [str(command("longshore-api")), *arguments],
            env=CLEAN_ENVIRONMENT | self.settings,
            cwd=self.scratch.folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            said = f"{done.stdout}{done.stderr}".strip()
            raise LocalStackError(f"longshore-api {' '.join(arguments)} ended with {done.returncode}\n{said}")
        return done.stdout.strip()

    def new_token(self, user: str, role: str) -> str:
        """Make an API token; role is user, admin or worker."""
        return self.command("token", "create", "--user", user, "--role", role)

    def request(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: object = None,
        *,
        seconds: float = COMMAND_SECONDS,
    ) -> tuple[int, Any]:
        """Send one request; return the status and the JSON answer, None for an empty one.

        Without a word for `seconds`, TimeoutError is raised.
        """
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=seconds)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, body=content, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            return response.status, json.loads(answer) if answer else None
        finally:
            connection.close()


class Worker(Service):
    """A worker."""

    def __init__(
        self, scratch: Scratch, settings: Mapping[str, str], *, api: str, token: str, name: str = "worker"
    ) -> None:
        super().__init__(scratch, name, settings)
        self.settings = {"WORKER_NAME": f"{name}-{scratch.folder.name}"} | self.settings
        self.settings |= {"API_URL": api, "WORKER_TOKEN": token, "WORKER_HEALTH_PORT": str(self.port)}

    def prepare(self) -> None:
        """Nothing: a worker keeps nothing on its disk."""

    def launch(self) -> Process:
        """Start working."""
        return self.scratch.spawn(self.name, [command("longshore-worker")], env=self.settings)


def command(name: str) -> Path:
    """Return one of the project's commands, from beside the running interpreter."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise LocalStackError(f"{path} is missing: run `make setup`")
    return path
