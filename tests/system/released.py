"""The last release's services, run from its own code beside those of this tree."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from deploy.local.checkout import ROOT
from deploy.local.scratch import Process, Scratch
from deploy.local.stack import Api, Worker

# What stands for the last release while there is no tag: the oldest code whose API the newest worker calls ready.
FIRST = "458f5807c7d340b036fb0a24364367887f57a4f5"
TAGS = "v[0-9]*"
PACKAGES = ("api_service", "import_worker", "shared")
# Names another release than the last one, by tag or commit.
CHOICE = "RELEASE"


class NoHistoryError(Exception):
    """The release's code cannot be had here; the text says why."""


@dataclass(frozen=True)
class Release:
    """A release's code in a folder of its own; `name` is its tag or commit."""

    name: str
    folder: Path

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which its code is found before this tree's."""
        return {**settings, "PYTHONPATH": str(self.folder)}


class ReleasedApi(Api):
    """The release's API; it leaves the schema as it is."""

    def __init__(self, release: Release, scratch: Scratch, settings: Mapping[str, str], *, name: str) -> None:
        super().__init__(scratch, settings, name=name)
        self._release = release

    def prepare(self) -> None:
        """Nothing: the newer schema is there."""

    def launch(self) -> Process:
        """Start serving."""
        argv = [sys.executable, "-c", "from api_service.cli import main; main()", "serve"]
        return self.scratch.spawn(self.name, argv, env=self._release.environment(self.settings))


class ReleasedWorker(Worker):
    """The release's worker."""

    release: Release

    def launch(self) -> Process:
        """Start working."""
        argv = [sys.executable, "-c", "from import_worker.cli import main; main()"]
        return self.scratch.spawn(self.name, argv, env=self.release.environment(self.settings))


def last_release(folder: Path) -> Release:
    """Put the last release's code into this folder; raises NoHistoryError where git does not have it."""
    name = os.environ.get(CHOICE) or _last_tag() or FIRST
    code = _git("archive", "--format=tar", name, *PACKAGES)
    if code is None:
        raise NoHistoryError(f"git does not have {name} here: the clone is shallow, or there is none")
    with tarfile.open(fileobj=BytesIO(code)) as archive:
        archive.extractall(folder, filter="data")
    return Release(name=name, folder=folder)


def _last_tag() -> str | None:
    described = _git("describe", "--tags", "--abbrev=0", f"--match={TAGS}")
    return described.decode().strip() if described else None


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
