"""Files beside a Go module's code, such as API descriptions, from the Go module proxy where Go is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.go.program import BUILT, brought, run_go

if TYPE_CHECKING:
    from pathlib import Path

# Seconds to download one: a few on a good line, for some 20 MB.
DOWNLOAD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """A Go module at one version. Only lower-case paths: the module cache writes others differently."""

    path: str
    version: str

    @property
    def folder(self) -> Path:
        """Where its files are, once they are downloaded."""
        return BUILT / "go" / "pkg" / "mod" / f"{self.path}@{self.version}"

    def missing(self, *, download: bool) -> str | None:
        """Download it unless it is there; return why it is not."""
        if not download and not self.folder.exists():
            return "not downloaded yet"
        return brought(self.folder, self._download, lock="modules")

    def _download(self, go: str) -> str | None:
        # Outside of any module, whose own versions would count.
        return run_go([go, "mod", "download", f"{self.path}@{self.version}"], {}, cwd=BUILT, seconds=DOWNLOAD_SECONDS)
