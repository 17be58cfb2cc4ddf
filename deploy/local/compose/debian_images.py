"""Images built from Debian packages, named like the images of Dockerfile and compose file, which cannot be pulled."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from deploy.local.images.debian_packages import PackageSource
from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from deploy.local.compose.docker import Docker

RECIPES = Path(__file__).parent / "debian_images"
BASE = "longshore-debian"
RELEASE = "bookworm"
# Seconds for debootstrap, which downloads 40 MB.
BOOTSTRAP_SECONDS = 600.0
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
# Debian does not package Grafana.
WITHOUT = frozenset({"grafana"})


def load_debian_images(docker: Docker, deploy: Path, *, cache: Path, work: Path) -> None:
    """Load every image that is not built from this checkout into the engine; `work` is a folder for temporary files.

    The images are cached in one file of a gigabyte, because building them takes minutes and downloads 300 MB.
    """
    names = wanted(deploy / "compose.yaml", deploy / "Dockerfile")
    kept = cache / f"debian-images-{recipe(names)}.tar"
    if kept.exists():
        docker("load", "--input", str(kept))
        return
    make(docker, names, work)
    cache.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_suffix(".new")
    docker("save", "--output", str(temporary), *names)
    for old in cache.glob("debian-images-*.tar"):
        old.unlink()
    temporary.replace(kept)


def wanted(compose_file: Path, dockerfile: Path) -> dict[str, str]:
    """Return the names of the images, each with its stage in the recipe."""
    services = yaml.safe_load(compose_file.read_text())["services"].values()
    names = [service["image"] for service in services if "build" not in service]
    base = re.search(r"^ARG BASE=(\S+)", dockerfile.read_text(), re.MULTILINE)
    if base is None:
        raise LocalStackError(f"{dockerfile} does not name its base image")
    stages = {name: name.partition(":")[0].rpartition("/")[2] for name in [base[1], *names]}
    return {name: stage for name, stage in stages.items() if stage not in WITHOUT}


def recipe(names: dict[str, str]) -> str:
    """Return a hash of everything that the images are built from, so that a changed recipe misses the cache."""
    content = b"".join(path.read_bytes() for path in sorted(RECIPES.iterdir()))
    return hashlib.sha256(content + repr(sorted(names.items())).encode() + AUTHORITIES.read_bytes()).hexdigest()[:12]


def make(docker: Docker, names: dict[str, str], work: Path) -> None:
    """Build a minimal Debian image, and the other images on top of it."""
    root, archive = work / "debian", work / "debian.tar"
    bootstrap(root, work / "apt")
    run("tar", "-C", str(root), "-cf", str(archive), ".")
    docker("import", str(archive), BASE)
    shutil.rmtree(root)
    archive.unlink()
    for name, stage in names.items():
        docker.build("--network", "host", "--target", stage, "--tag", name, str(RECIPES))


def bootstrap(root: Path, apt: Path) -> None:
    """Create the root folder of a minimal Debian, from this machine's mirror and with its certificate authorities."""
    if not shutil.which("debootstrap"):
        raise LocalStackError("debootstrap is missing: apt-get install debootstrap")
    mirrors = [mirror for mirror, suite in PackageSource(apt, ()).mirrors() if suite == RELEASE]
    if not mirrors:
        raise LocalStackError(f"no mirror of Debian {RELEASE} is configured on this machine")
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, str(root), mirrors[0])
    # A TLS-inspecting proxy signs with its own authority, which pip must trust inside a build as well.
    shutil.copy(AUTHORITIES, root / AUTHORITIES.relative_to("/"))


def run(*command: str) -> None:
    """Run a program; LocalStackError with the end of its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOOTSTRAP_SECONDS, check=False)
    if done.returncode != 0:
        raise LocalStackError(
            f"{' '.join(command)} ended with {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
        )
