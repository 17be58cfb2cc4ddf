"""Debian packages of other architectures, without adding those to the machine's dpkg."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from typing import TYPE_CHECKING

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Suite names of this release besides its code name.
OTHER_SUITES = ("stable",)

# Seconds for apt to download two package indices of some 10 MB each over a slow line.
APT_SECONDS = 300.0

# The line of `apt-get update --print-uris` for one configured source.
RELEASE_URI = re.compile(r"^'(?P<mirror>\S+?)/?/dists/(?P<suite>[^'/]+)/(?:In)?Release'", re.MULTILINE)


class PackageSource:
    """apt with its state in a private folder, for the given architectures.

    It uses the machine's mirrors, and Debian's keys to verify their packages.
    """

    def __init__(self, folder: Path, architectures: tuple[str, ...]) -> None:
        self.folder = folder.absolute()  # apt interprets relative paths relative to its own folders.
        self.architectures = architectures

    def fetch(self, package: str) -> dict[str, Path]:
        """Download a .deb file for each architecture; LocalStackError if no mirror has all of them."""
        problems = []
        for mirror, suite in self.mirrors():
            try:
                self._use(mirror, suite)
                return {name: self._download(package, name) for name in self.architectures}
            except LocalStackError as error:
                problems.append(f"{mirror} {suite}: {error}")
        tried = "\n".join(problems) or "no source for this Debian release is configured"
        raise LocalStackError(f"cannot get {package} for {', '.join(self.architectures)}:\n{tried}")

    def mirrors(self) -> list[tuple[str, str]]:
        """Return the base address and the suite of every configured source of this Debian release."""
        for name in ("lists/partial", "archives/partial", "sources.d", "unused"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        # With an empty state, apt prints the URIs that it would request from each source.
        printed = self._run("update", "--print-uris", "-o", f"Dir::State={self.folder / 'unused'}")
        suites = (platform.freedesktop_os_release().get("VERSION_CODENAME"), *OTHER_SUITES)
        found = [(match["mirror"], match["suite"]) for match in RELEASE_URI.finditer(printed)]
        return list(dict.fromkeys(pair for pair in found if pair[1] in suites))

    def _use(self, mirror: str, suite: str) -> None:
        sources = self.folder / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        self._run("update", *self._private(sources))

    def _download(self, package: str, architecture: str) -> Path:
        target = self.folder / architecture
        target.mkdir(exist_ok=True)
        for old in target.glob("*.deb"):
            old.unlink()
        options = self._private(self.folder / "sources.list")
        self._run("download", f"{package}:{architecture}", *options, cwd=target)
        return next(target.glob("*.deb"))

    def _private(self, sources: Path) -> list[str]:
        settings = {
            "Dir::State": self.folder,
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder,
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": self.folder / "sources.d",
            "APT::Architectures": ",".join(self.architectures),
            # apt's own user cannot access a checkout in a home folder.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            # Otherwise a failed download is not an error, and an old index or none is used.
            "APT::Update::Error-Mode": "any",
        }
        return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]

    def _run(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            cwd=cwd,
            env=os.environ | {"LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=APT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LocalStackError(done.stderr.strip() or done.stdout.strip())
        return done.stdout


def unpack(package: Path, folder: Path) -> None:
    """Unpack the files of a .deb."""
    subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True, timeout=APT_SECONDS)
