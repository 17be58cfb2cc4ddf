"""The code of the last release, extracted from git, and its services."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.paths import ROOT
from deploy.local.stack import Api

# The substitute for the last release while there is no tag: the oldest code whose API the newest worker finds ready.
FIRST = "458f5807c7d340b036fb0a24364367887f57a4f5"
TAGS = "v[0-9]*"
PACKAGES = ("api_service", "import_worker", "shared")
# This variable chooses another release, by tag or commit.
CHOICE = "RELEASE"


class NoHistoryError(Exception):
    """The code of the release is not available; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """The code of a release in a folder; `name` is its tag or commit."""

    name: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make a service of this tree import the release's code."""
        return {"PYTHONPATH": str(self.folder)}


class ReleasedApi(Api):
    """The release's API, which does not migrate the newer schema."""

    def prepare(self) -> None:
        """Do nothing: the schema exists."""


def last_release(folder: Path) -> Release:
    """Extract the code of the last release into this folder; raises NoHistoryError if git does not have it."""
    name = os.environ.get(CHOICE) or _last_tag() or FIRST
    code = _git("archive", "--format=tar", name, *PACKAGES)
    if code is None:
        raise NoHistoryError(f"git does not have {name} here: the clone is shallow, or there is none")
    subprocess.run(["tar", "--extract", f"--directory={folder}"], input=code, check=True)
    release = Release(name=name, folder=folder)
    _check_found_first(release)
    return release


def _check_found_first(release: Release) -> None:
    program = f"import {', '.join(PACKAGES)}; print({'.__file__, '.join(PACKAGES)}.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", program], env=release.settings, capture_output=True, check=True)
    found = [Path(path) for path in done.stdout.decode().split()]
    assert all(path.is_relative_to(release.folder) for path in found), found


def _last_tag() -> str | None:
    described = _git("describe", "--tags", "--abbrev=0", f"--match={TAGS}")
    return described.decode().strip() if described else None


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
