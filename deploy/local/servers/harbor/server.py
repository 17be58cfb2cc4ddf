"""A private Harbor: the process of the stand-in, and the docker-registry behind it."""

from __future__ import annotations

import http.client
import json
import sys
from typing import TYPE_CHECKING, Any, Self

from deploy.local.images.remote import Remote
from deploy.local.paths import ROOT
from deploy.local.processes.scratch import LocalStackError, Process, Scratch, write
from deploy.local.processes.server import LOOPBACK, PROBE_SECONDS, Server, new_password
from deploy.local.servers.harbor.settings import Launch, Robot, Settings, User
from deploy.local.servers.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Seconds for one request to its API.
REQUEST_SECONDS = 30.0


class Harbor(Server):
    """A Harbor on a loopback port, over plain http.

    `username` is its administrator; `users` and `robots` are further accounts. Its state survives a stop, but not a
    kill, unlike that of a real Harbor with its database. `registry` is the docker-registry behind it.
    """

    def __init__(
        self,
        scratch: Scratch,
        *,
        name: str = "harbor",
        users: tuple[User, ...] = (),
        robots: tuple[Robot, ...] = (),
        quota: int | None = -1,
        creation: str = "everyone",
    ) -> None:
        super().__init__(scratch, name)
        self.port = scratch.ports.reserve()
        self.registry = Registry(scratch, name=f"{name}-registry")
        self.username = "admin"
        self.password = new_password()
        self.ca_file: Path | None = None
        admin = User(name=self.username, password=self.password, admin=True)
        self.settings = Settings(users=(admin, *users), robots=robots, quota=quota, creation=creation)

    @property
    def host(self) -> str:
        """host:port, as in an image reference."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The http:// URL without a trailing slash."""
        return f"http://{self.host}"

    def remote(self) -> Remote:
        """Return a plain registry client for its administrator."""
        return Remote(self.url, username=self.username, password=self.password)

    def prepare(self) -> None:
        """Write the file that configures the process."""
        self.home = self.scratch.make_folder(self.name)
        launch = Launch(
            port=self.port,
            upstream=self.registry.url,
            state=str(self.home / "state"),
            settings=self.settings,
        )
        write(self.home / "launch.json", launch.write())

    def launch(self) -> Process:
        """Start the process in the checkout, which contains the module."""
        command = [sys.executable, "-m", "deploy.local.servers.harbor", str(self.home / "launch.json")]
        return self.scratch.spawn(self.name, command, cwd=ROOT, env={"HOME": str(self.home)})

    def start(self) -> Self:
        """Start docker-registry, then the process."""
        if not self.registry.alive:
            self.registry.start()
        return super().start()

    def stop(self) -> None:
        super().stop()
        self.registry.stop()

    def discard(self) -> None:
        super().discard()
        self.registry.discard()

    def probe(self) -> bool:
        """Request its health."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/api/v2.0/health")
            return connection.getresponse().status == http.client.OK
        except http.client.HTTPException:
            return False
        finally:
            connection.close()

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Call its API as its administrator and return the JSON answer; LocalStackError for an error status."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=REQUEST_SECONDS)
        headers: Mapping[str, str] = self.remote().headers | {"Content-Type": "application/json"}
        try:
            connection.request(
                method, f"/api/v2.0{path}", body=None if body is None else json.dumps(body), headers=headers
            )
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise LocalStackError(f"{method} {path}: {response.status} {answer.decode(errors='replace').strip()}")
        return json.loads(answer) if answer else None

    def create_project(self, name: str, *, public: bool = False, quota: int = -1) -> None:
        """Create a project; `quota` is in bytes."""
        document = {
            "project_name": name,
            "metadata": {"public": "true" if public else "false"},
            "storage_limit": quota,
        }
        self.request("POST", "/projects", document)

    def set_quota(self, project: str, quota: int) -> None:
        """Change the quota of a project, in bytes."""
        number = self.request("GET", f"/projects/{project}")["project_id"]
        found = self.request("GET", f"/quotas?reference=project&reference_id={number}")
        self.request("PUT", f"/quotas/{found[0]['id']}", {"hard": {"storage": quota}})

    def make_immutable(self, project: str, *, repository: str = "**", tag: str = "**") -> None:
        """Make tags immutable, by doublestar patterns; a repository's name is without its project."""
        self.request("POST", f"/projects/{project}/immutabletagrules", immutable_rule(repository, tag))


def immutable_rule(repository: str, tag: str) -> dict[str, Any]:
    """Return a rule as Harbor's user interface sends it."""
    return {
        "action": "immutable",
        "template": "immutable_template",
        "disabled": False,
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repository}]},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tag}],
    }
