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

from deploy.local.commands.checkout import CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        if not build and not self.path.exists():
            return "not built yet"
        return brought(self.path, self._build, lock=self.name)

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
        return run_go(command, {"GOBIN": str(self.path.parent)}, cwd=cwd, seconds=BUILD_SECONDS)


def brought(path: Path, bring: Callable[[str], str | None], *, lock: str) -> str | None:
    """Have the path brought by `bring`, which is told where Go is, unless it is there; return why it is not."""
    if path.exists():
        return None
    if not (go := shutil.which("go")):
        return "Go is not installed"
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / f"{lock}.lock").open("a") as file:
        # Two programs that need it at once: the second waits and finds it there.
        fcntl.flock(file, fcntl.LOCK_EX)
        return None if path.exists() else bring(go)


def run_go(
    command: Sequence[str], environment: Mapping[str, str], *, cwd: str | Path | None, seconds: float
) -> str | None:
    """Run a go command with a module cache of ours; return how it failed, if it did."""
    own = {"GOPATH": str(BUILT / "go"), "GOFLAGS": "-mod=mod -modcacherw", **environment}
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | own, capture_output=True, text=True, timeout=seconds, check=False
    )
    return None if done.returncode == 0 else f"{' '.join(command[1:])} failed: {done.stderr.strip()[-500:]}"
