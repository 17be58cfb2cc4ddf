"""Files beside a Go module's code, such as API descriptions, from the Go module proxy where Go is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.go_program import BUILT

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
        if self.folder.exists():
            return None
        if not download:
            return "not downloaded yet"
        if not (go := shutil.which("go")):
            return "Go is not installed"
        BUILT.mkdir(parents=True, exist_ok=True)
        with (BUILT / "modules.lock").open("a") as lock:
            # Two programs that need it at once: the second waits and finds it there.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return None if self.folder.exists() else self._download(go)

    def _download(self, go: str) -> str | None:
        own = {"GOPATH": str(BUILT / "go"), "GOFLAGS": "-mod=mod -modcacherw"}
        command = [go, "mod", "download", f"{self.path}@{self.version}"]
        # Outside of any module, whose own versions would count.
        done = subprocess.run(
            command,
            env=os.environ | own,
            cwd=BUILT,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
        return None if done.returncode == 0 else f"{' '.join(command[1:])} failed: {done.stderr.strip()[-500:]}"
