"""Programs that Debian does not package, built with Go from the Go module proxy."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.paths import CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Built once and kept, one folder for each version.
BUILT = CACHE / "built"
# Seconds to download and build one program: two minutes on two processors with an empty cache, more on a slow line.
BUILD_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A command of a Go module at one version; `name` is the project's name for it.

    `program` is the name of the executable if it differs from the last part of the package path. `excludes`: the
    module's go.mod has `exclude` lines, which `go install` refuses. `flags` are linker flags.
    """

    name: str
    package: str
    version: str
    program: str | None = None
    excludes: bool = False
    flags: str = ""

    @property
    def path(self) -> Path:
        """The path of the executable after the build."""
        return BUILT / f"{self.name}-{self.version}" / (self.program or self.package.rpartition("/")[2])

    def why_unavailable(self, *, build: bool) -> str | None:
        """Build the program if it is missing and `build` is set; return why it is not available, or None."""
        if not build and not self.path.exists():
            return "not built yet"
        return ensure(self.path, self._build, lock=self.name)

    def _build(self, go: str) -> str | None:
        if not self.excludes:
            return self._run([go, "install", f"-ldflags={self.flags}", f"{self.package}@{self.version}"])
        # `exclude` lines count only in the main module: here that is an empty one.
        with tempfile.TemporaryDirectory() as folder:
            steps = (
                [go, "mod", "init", "longshore.invalid/build"],
                [go, "get", f"{self.package}@{self.version}"],
                [go, "build", f"-ldflags={self.flags}", "-o", str(self.path), self.package],
            )
            return next(filter(None, (self._run(step, cwd=folder) for step in steps)), None)

    def _run(self, command: Sequence[str], *, cwd: str | None = None) -> str | None:
        return run_go(command, {"GOBIN": str(self.path.parent)}, cwd=cwd, seconds=BUILD_SECONDS)


def ensure(path: Path, create: Callable[[str], str | None], *, lock: str) -> str | None:
    """Call `create` with the path of the go command if `path` does not exist; return why it still does not, or None."""
    if path.exists():
        return None
    if not (go := shutil.which("go")):
        return "Go is not installed"
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / f"{lock}.lock").open("a") as file:
        # A second program that needs the path at the same time waits, and then finds it.
        fcntl.flock(file, fcntl.LOCK_EX)
        return None if path.exists() else create(go)


def run_go(
    command: Sequence[str], environment: Mapping[str, str], *, cwd: str | Path | None, seconds: float
) -> str | None:
    """Run a go command with the project's own module cache; return the error message, or None."""
    own = {"GOPATH": str(BUILT / "go"), "GOFLAGS": "-mod=mod -modcacherw", **environment}
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | own, capture_output=True, text=True, timeout=seconds, check=False
    )
    return None if done.returncode == 0 else f"{' '.join(command[1:])} failed: {done.stderr.strip()[-500:]}"
