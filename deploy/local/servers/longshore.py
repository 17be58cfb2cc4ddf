"""Longshore's two services, from the environment of the running interpreter."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deploy.local.processes.scratch import CLEAN_ENVIRONMENT, LocalStackError, Process, Scratch
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seconds for a command, a few statements or the migrations of an empty database, on a machine that is many times
# overloaded: it takes two on an idle one.
COMMAND_SECONDS = 180.0
# Seconds without a byte after which a request fails. The API answers within five.
REQUEST_SECONDS = 60.0

# Variables that a machine behind a TLS-inspecting proxy needs to trust registries on the internet. The services inherit
# nothing else from the caller.
INHERITED = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Service(Server):
    """A Longshore process with its health endpoints on a loopback port."""

    # Longer than the services' own grace period.
    stop_seconds = 30.0

    def __init__(self, scratch: Scratch, name: str, settings: Mapping[str, str]) -> None:
        super().__init__(scratch, name)
        self.port = scratch.ports.reserve()
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        self.settings = inherited | dict(settings)

    @property
    def url(self) -> str:
        """The http:// URL without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    def probe(self) -> bool:
        """Request /readyz."""
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
        """Migrate the database."""
        self.command("migrate")

    def launch(self) -> Process:
        """Start the API."""
        return self.scratch.spawn(self.name, [command("longshore-api"), "serve"], env=self.settings)

    def command(self, *arguments: str) -> str:
        """Run a longshore-api command with these settings and return its output."""
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
            output = f"{done.stdout}{done.stderr}".strip()
            raise LocalStackError(f"longshore-api {' '.join(arguments)} ended with {done.returncode}\n{output}")
        return done.stdout.strip()

    def new_token(self, user: str, role: str) -> str:
        """Create an API token; `role` is user, admin or worker."""
        return self.command("token", "create", "--user", user, "--role", role)

    def request(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: object = None,
        *,
        seconds: float = REQUEST_SECONDS,
    ) -> tuple[int, Any]:
        """Send one request; return the status and the JSON answer, or None for an empty one.

        Raises TimeoutError if nothing arrives for `seconds`.
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


def worker_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an API's settings that its workers have: no keys, and the same database under their role."""
    role = urlsplit(settings["WORKER_DATABASE_URL"]).netloc.rpartition("@")[0]
    database = urlsplit(settings["DATABASE_URL"])
    address = database.netloc.rpartition("@")[2]
    shared = {
        name: value
        for name, value in settings.items()
        if not name.startswith("API_") and name not in {"SECRET_KEYS", "WORKER_DATABASE_URL"}
    }
    return shared | {"DATABASE_URL": database._replace(netloc=f"{role}@{address}").geturl()}


class Worker(Service):
    """A worker."""

    def __init__(
        self, scratch: Scratch, settings: Mapping[str, str], *, api: str, token: str, name: str = "worker"
    ) -> None:
        super().__init__(scratch, name, settings)
        self.settings = {"WORKER_NAME": f"{name}-{scratch.folder.name}"} | self.settings
        self.settings |= {"API_URL": api, "WORKER_TOKEN": token, "WORKER_HEALTH_PORT": str(self.port)}

    def prepare(self) -> None:
        """Do nothing: a worker stores nothing on disk."""

    def launch(self) -> Process:
        """Start the worker."""
        return self.scratch.spawn(self.name, [command("longshore-worker")], env=self.settings)


def command(name: str) -> Path:
    """Return the path of one of the project's commands, next to the running interpreter."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise LocalStackError(f"{path} is missing: run `make setup`")
    return path
