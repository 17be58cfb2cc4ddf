"""The source and the target registry of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.images.remote import Remote

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.scenarios import Job
    from deploy.local.servers.registry import Registry

# Longshore's default project.
PROJECT = "imports"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Two registries; `authority` is the certificate that clients must trust, None for plain http."""

    source: Registry
    target: Registry
    authority: Path | None

    def source_of(self, job: Job) -> str:
        """Return the reference of a job in the source."""
        return f"{self.source.host}/{job.repository}:{job.tag}"

    def request_of(self, job: Job) -> dict[str, object]:
        """Return the body of Longshore's import request for a job, with the source's account if it needs one."""
        body: dict[str, object] = {"source": self.source_of(job)}
        if job.project:
            body["target"] = f"{self.target_repository(job)}:{job.tag}"
        if self.source.username:
            body["credentials"] = {"username": self.source.username, "password": self.source.password}
        return body

    def target_repository(self, job: Job) -> str:
        """Return the target repository of a job: Longshore's choice without a project, used for all contenders."""
        if job.project:
            return f"{job.project}/{job.repository}"
        return f"{PROJECT}/{self.source.host.replace(':', '-')}/{job.repository}"

    def target_of(self, job: Job) -> str:
        """Return the reference of a job in the target."""
        return f"{self.target.host}/{self.target_repository(job)}:{job.tag}"

    def remote(self, registry: Registry) -> Remote:
        """Return a client of one of the registries."""
        return Remote(registry.url, username=registry.username, password=registry.password, ca_file=self.authority)
