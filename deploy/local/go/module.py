"""Files that a Go module contains besides its code, such as API descriptions, from the Go module proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.go.program import BUILT, ensure, run_go

if TYPE_CHECKING:
    from pathlib import Path

# Seconds to download one module: a few on a fast line, for some 20 MB.
DOWNLOAD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """A Go module at one version. Only lower-case paths: the module cache escapes upper-case letters."""

    path: str
    version: str

    @property
    def folder(self) -> Path:
        """The folder of its files after the download."""
        return BUILT / "go" / "pkg" / "mod" / f"{self.path}@{self.version}"

    def why_unavailable(self, *, download: bool) -> str | None:
        """Download the module if it is missing and `download` is set; return why it is not available, or None."""
        if not download and not self.folder.exists():
            return "not downloaded yet"
        return ensure(self.folder, self._download, lock="modules")

    def _download(self, go: str) -> str | None:
        # Outside any module: its requirements would choose other versions.
        return run_go([go, "mod", "download", f"{self.path}@{self.version}"], {}, cwd=BUILT, seconds=DOWNLOAD_SECONDS)
