"""Where a benchmark copies from and to, and how that is spoken to."""

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
    """Two registries; `authority` is the certificate that both are to be trusted by, None for plain http."""

    source: Registry
    target: Registry
    authority: Path | None

    def source_of(self, job: Job) -> str:
        """Return the reference that a job is read by."""
        return f"{self.source.host}/{job.repository}:{job.tag}"

    def target_repository(self, job: Job) -> str:
        """Return the repository that Longshore gives to a job, for everybody."""
        return f"{PROJECT}/{self.source.host.replace(':', '-')}/{job.repository}"

    def target_of(self, job: Job) -> str:
        """Return the reference that a job is written to."""
        return f"{self.target.host}/{self.target_repository(job)}:{job.tag}"

    def remote(self, registry: Registry) -> Remote:
        """Return a client of one of them."""
        return Remote(registry.url, ca_file=self.authority)
