"""The tools that Longshore is compared with, run as their users do: one process for each image."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.places import Places
from benchmarks.processes import Usage, run_all
from benchmarks.scenarios import Job
from deploy.local.go.program import GoProgram
from deploy.local.processes.scratch import CLEAN_ENVIRONMENT

VERSION_SECONDS = 30

CRANE = GoProgram(name="crane", package="github.com/google/go-containerregistry/cmd/crane", version="v0.22.1")
REGCTL = GoProgram(name="regctl", package="github.com/regclient/regclient/cmd/regctl", version="v0.11.7")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One tool. `home` contains the files that it keeps between runs, and is emptied before each run."""

    name: str
    version: str
    command: Callable[[Places, Job], list[str]]
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Delete its cache about registries, such as skopeo's list of blob locations."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)

    def copy(self, places: Places, jobs: Sequence[Job], parallel: int) -> Usage:
        """Copy all images, `parallel` at a time."""
        kept = {"HOME": str(self.home), "XDG_DATA_HOME": str(self.home)}
        trusted = {"SSL_CERT_FILE": str(places.authority)} if places.authority else {}
        environment = CLEAN_ENVIRONMENT | kept | trusted | self.environment
        return run_all([self.command(places, job) for job in jobs], environment, parallel)


def find_peers(places: Places, folder: Path, *, build: bool) -> tuple[list[Peer], dict[str, str]]:
    """Return the available peers, configured for these registries, and why the others are not available."""
    found: list[Peer] = []
    missing: dict[str, str] = {}
    if skopeo := shutil.which("skopeo"):
        found.append(_skopeo(skopeo, folder))
    else:
        missing["skopeo"] = "not installed (Debian's package skopeo)"
    for program, make in ((CRANE, _crane), (REGCTL, _regctl)):
        if reason := program.why_unavailable(build=build):
            missing[program.name] = reason
            continue
        found.append(make(program.path, program.version, places, folder))
    return found, missing


def _skopeo(program: str, folder: Path) -> Peer:
    """Preserve the digests: by default skopeo compresses plain layers, which makes another image."""

    def command(places: Places, job: Job) -> list[str]:
        access = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        if places.authority:
            certificates = str(places.authority.parent)
            access = ["--src-cert-dir", certificates, "--dest-cert-dir", certificates]
        names = [f"docker://{places.source_of(job)}", f"docker://{places.target_of(job)}"]
        return [program, "--insecure-policy", "copy", "--all", "--preserve-digests", *access, *names]

    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=True)
    version = re.search(r"\d+(?:\.\d+)+", said.stdout)
    return Peer(
        name="skopeo",
        version=version[0] if version else said.stdout.strip(),
        command=command,
        home=folder / "skopeo",
        # Otherwise it uses root's cache below /var, which a benchmark must not empty.
        environment={"_CONTAINERS_ROOTLESS_UID": "1000"},
    )


def _crane(program: Path, version: str, _: Places, folder: Path) -> Peer:
    def command(places: Places, job: Job) -> list[str]:
        insecure = [] if places.authority else ["--insecure"]
        return [str(program), "copy", *insecure, places.source_of(job), places.target_of(job)]

    return Peer(name="crane", version=version, command=command, home=folder / "crane")


def _regctl(program: Path, version: str, places: Places, folder: Path) -> Peer:
    def command(places: Places, job: Job) -> list[str]:
        return [str(program), "image", "copy", places.source_of(job), places.target_of(job)]

    configuration = {"REGCTL_CONFIG": str(folder / "regctl.json")}
    access = ["--cacert", str(places.authority), "--tls", "enabled"] if places.authority else ["--tls", "disabled"]
    for registry in (places.source, places.target):
        set_up = [str(program), "registry", "set", "--skip-check", *access, registry.host]
        environment = CLEAN_ENVIRONMENT | configuration | {"HOME": str(folder)}
        subprocess.run(set_up, env=environment, capture_output=True, timeout=VERSION_SECONDS, check=True)
    return Peer(name="regctl", version=version, command=command, home=folder / "regctl", environment=configuration)
