"""The running compose project as its users reach it: the API, the command line, the images in both registries."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from deploy.local.commands.details import follow
from deploy.local.images.remote import Remote
from deploy.local.images.verify import Place, Verified, verify
from deploy.local.processes.scratch import CLEAN_ENVIRONMENT, LocalStackError
from deploy.local.servers.longshore import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.local.compose.docker import Docker
    from deploy.local.images.image import Image

API = "127.0.0.1:8080"
TARGET = "127.0.0.1:5000"
# The source registry: its name for containers, and its published address.
SOURCE = "source:5000"
SOURCE_HERE = "127.0.0.1:5001"

IMPORT_SECONDS = 120.0
REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.1


class Project:
    """The actions of a user; `token` is empty until one is created."""

    def __init__(self, docker: Docker) -> None:
        self.docker = docker
        self.token = ""

    def longshore(self, *arguments: str) -> str:
        """Run `longshore` in the API's container, and return its output."""
        inside = ("exec", "-T", "-e", "LONGSHORE_TOKEN", "api", "longshore")
        return self.docker.compose(*inside, *arguments, env={"LONGSHORE_TOKEN": self.token})

    def longshore_outside(self, *arguments: str, url: str, authority: Path) -> str:
        """Run this checkout's `longshore`, as on a user's machine."""
        own = {"LONGSHORE_URL": url, "LONGSHORE_TOKEN": self.token, "SSL_CERT_FILE": str(authority)}
        done = subprocess.run(
            [str(command("longshore")), *arguments],
            env=CLEAN_ENVIRONMENT | own,
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LocalStackError(f"longshore {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def push(self, repository: str, tag: str, image: Image) -> None:
        """Push an image to the source registry."""
        Remote(f"http://{SOURCE_HERE}").push(repository, tag, image)

    def images(self) -> list[dict[str, Any]]:
        """Return the images of the API's list, each with its repository in the target."""
        groups = get(API, "/api/v1/images?page_size=100", self.token)["images"]
        return [artifact | {"repository": group["repo"]} for group in groups for artifact in group["artifacts"]]

    def details(self, image_id: int) -> dict[str, Any]:
        """Return the details of an import."""
        found: dict[str, Any] = get(API, f"/api/v1/images/{image_id}/importing-details", self.token)
        return found

    def finish(self, image_id: int) -> None:
        """Wait until an import is ready."""
        *_, details = follow(f"http://{API}", self.token, image_id, seconds=IMPORT_SECONDS)
        if details["status"] != "ready":
            raise LocalStackError(f"the import failed: {details['error'] or details['message']}")

    def verify(self, repository: str, tag: str) -> Verified:
        """Compare every byte of an imported image with the source's."""
        source = Place(remote=Remote(f"http://{SOURCE_HERE}"), repository=repository)
        listed = [image for image in self.images() if image["repository"].endswith(f"/{repository}")]
        if [image["status"] for image in listed] != ["ready"]:
            raise LocalStackError(f"{repository} is listed as {listed}")
        target = Place(remote=Remote(f"http://{TARGET}"), repository=listed[0]["repository"])
        digests = {listed[0]["digest"], source.remote.manifest(repository, tag).digest}
        digests.add(target.remote.manifest(target.repository, listed[0]["imageTag"]).digest)
        if len(digests) != 1:
            raise LocalStackError(f"the digests in the list, the source and the target differ: {digests}")
        return verify(listed[0]["digest"], target, source)


def expect(holds: Callable[[], bool], what: str, *, seconds: float = IMPORT_SECONDS) -> None:
    """Wait until a condition is true."""
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            raise LocalStackError(f"{what}: not within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def get(host: str, path: str, token: str = "") -> Any:
    """Send a GET request and return the JSON answer; LocalStackError if it fails."""
    connection = http.client.HTTPConnection(host, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise LocalStackError(f"GET {host}{path}: {error!r}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise LocalStackError(f"GET {host}{path}: {response.status} {body.decode(errors='replace')[:500]}")
    return json.loads(body)
