"""Programs that Debian does not have, built from the Go module proxy where Go is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.checkout import CACHE

if TYPE_CHECKING:
    from collections.abc import Sequence

# Built once and kept, one folder for each version.
BUILT = CACHE / "built"
# Seconds to download and build one of them: two minutes on two processors with nothing cached, more on a slow line.
BUILD_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A command of a Go module at one version; `name` says in our words what it is.

    `program` is what its file is called, where that is not the package's last part. `excludes`: its go.mod excludes
    versions of others, which `go install` refuses. `flags` are for the linker.
    """

    name: str
    package: str
    version: str
    program: str | None = None
    excludes: bool = False
    flags: str = ""

    @property
    def path(self) -> Path:
        """Where the program is, once it is built."""
        return BUILT / f"{self.name}-{self.version}" / (self.program or self.package.rpartition("/")[2])

    def missing(self, *, build: bool) -> str | None:
        """Build it unless it is there; return why there is none."""
        if self.path.exists():
            return None
        if not build:
            return "not built yet"
        if not (go := shutil.which("go")):
            return "Go is not installed"
        BUILT.mkdir(parents=True, exist_ok=True)
        with (BUILT / f"{self.name}.lock").open("a") as lock:
            # Two programs that need it at once: the second waits and finds it there.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return None if self.path.exists() else self._build(go)

    def _build(self, go: str) -> str | None:
        if not self.excludes:
            return self._run([go, "install", f"-ldflags={self.flags}", f"{self.package}@{self.version}"])
        # In a module of ours such lines of theirs mean nothing.
        with tempfile.TemporaryDirectory() as folder:
            steps = (
                [go, "mod", "init", "longshore.invalid/build"],
                [go, "get", f"{self.package}@{self.version}"],
                [go, "build", f"-ldflags={self.flags}", "-o", str(self.path), self.package],
            )
            return next(filter(None, (self._run(step, cwd=folder) for step in steps)), None)

    def _run(self, command: Sequence[str], *, cwd: str | None = None) -> str | None:
        own = {"GOBIN": str(self.path.parent), "GOPATH": str(BUILT / "go"), "GOFLAGS": "-mod=mod -modcacherw"}
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | own, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
        return None if done.returncode == 0 else f"{' '.join(command[1:])} failed: {done.stderr.strip()[-500:]}"
