"""The image of the demo: Debian's busybox for two architectures, which runs in a container."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.images import image as image_format
from deploy.local.images.debian_packages import PackageSource, unpack
from deploy.local.images.image import (
    OCI,
    Blob,
    Image,
    Manifest,
    distinct,
    file_blob,
    index_of,
    memory_blob,
    platform_manifest,
    sha256,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REPOSITORY = "demo/busybox"
TAG = "1.0"
PACKAGE = "busybox-static"

# The platforms of the image, each with the architecture of the Debian package.
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64/v8": "arm64"}

# A layer whose progress is visible. It is the same on both platforms, so that it is transferred once.
PAYLOAD_BYTES = 24 * 1024 * 1024
PAYLOAD_SEED = "harbour"

# The release day of Debian 12: fixed, so that the image has the same digest wherever it is built.
CREATED = "2023-06-10T00:00:00Z"
CREATED_SECONDS = 1_686_355_200

# The commands of busybox that have a link in /bin.
APPLETS = (
    *("sh", "ash", "cat", "cp", "cut", "date", "df", "du", "echo", "env", "false", "find", "free", "grep", "gzip"),
    *("head", "hostname", "id", "kill", "ln", "ls", "md5sum", "mkdir", "mount", "mv", "nc", "ping", "ps", "pwd"),
    *("rm", "sed", "seq", "sha256sum", "sleep", "sort", "stat", "tail", "tar", "test", "top", "touch", "tr"),
    *("true", "umount", "uname", "uptime", "vi", "wc", "wget", "which", "whoami", "xargs"),
)
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/os-release": 'NAME="Longshore demo"\nID=longshore-demo\nVERSION_ID="1.0"\n',
    "etc/motd": "Imported by Longshore, blob for blob.\n",
}
CONFIG = {
    "Env": ["PATH=/bin"],
    "Cmd": ["/bin/sh", "-c", "cat /etc/motd"],
    "Labels": {"org.opencontainers.image.title": "busybox"},
}


def demo_image(cache: Path) -> Image:
    """Return the image, from `cache` if it was built before; the build needs apt and a network."""
    folder = cache / f"demo-image-{recipe()}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Two commands at once build one each; the first to finish is kept.
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as temporary:
            place = Path(temporary) / "image"
            save(build(Path(temporary)), place)
            if not folder.exists():
                place.rename(folder)
    return load(folder)


def recipe() -> str:
    """Return a hash of the code that builds the image, so that a changed recipe misses the cache."""
    sources = (Path(__file__), Path(image_format.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def build(work: Path) -> Image:
    """Download the packages and build the image."""
    packages = PackageSource(work / "apt", tuple(PLATFORMS.values())).fetch(PACKAGE)
    base, payload = layer(add_base), layer(add_payload)
    children: dict[str, Manifest] = {}
    blobs: list[Blob] = []
    for platform, architecture in PLATFORMS.items():
        unpack(packages[architecture], work / architecture)
        layers = [layer(add_busybox(work / architecture / "bin/busybox")), base, payload]
        children[platform], config = platform_manifest(platform, layers, created=CREATED, config=CONFIG)
        blobs += [*layers, config]
    return Image(root=index_of(children), children=tuple(children.values()), blobs=distinct(blobs))


def layer(fill: Callable[[tarfile.TarFile], None]) -> Blob:
    """Return a compressed layer with the entries that `fill` adds; the same content gives the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        fill(archive)
    content = plain.getvalue()
    return memory_blob(OCI.gzip, gzip.compress(content, mtime=0), diff_id=sha256(content))


def add_busybox(program: Path) -> Callable[[tarfile.TarFile], None]:
    """Return a function that adds the program and a link for each of its commands."""

    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "bin", kind=tarfile.DIRTYPE, mode=0o755)
        add(archive, "bin/busybox", program.read_bytes(), mode=0o755)
        for name in sorted(APPLETS):
            add(archive, f"bin/{name}", kind=tarfile.SYMTYPE, mode=0o777, target="busybox")

    return fill


def add_base(archive: tarfile.TarFile) -> None:
    """Add the files and folders that programs expect."""
    for name in ("dev", "etc", "proc", "root", "sys"):
        add(archive, name, kind=tarfile.DIRTYPE, mode=0o755)
    add(archive, "tmp", kind=tarfile.DIRTYPE, mode=0o1777)
    for name, text in sorted(FILES.items()):
        add(archive, name, text.encode())


def add_payload(archive: tarfile.TarFile) -> None:
    """Add a file that takes a moment to transfer and does not compress."""
    for name in ("usr", "usr/share"):
        add(archive, name, kind=tarfile.DIRTYPE, mode=0o755)
    content = random.Random(PAYLOAD_SEED).randbytes(PAYLOAD_BYTES)  # noqa: S311 - filler, no secret.
    add(archive, "usr/share/ballast", content)


def add(
    archive: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    target: str = "",
) -> None:
    """Add one entry, owned by root and dated like the image."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    entry.size, entry.mtime = len(content), CREATED_SECONDS
    archive.addfile(entry, io.BytesIO(content))


def save(image: Image, folder: Path) -> None:
    """Write the image as an OCI image layout (image specification, "OCI Image Layout")."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for blob in image.blobs:
        with (blobs / hex_of(blob.digest)).open("wb") as file:
            for chunk in blob.read():
                file.write(chunk)
    for manifest in (image.root, *image.children):
        (blobs / hex_of(manifest.digest)).write_bytes(manifest.body)
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    top = {"schemaVersion": 2, "manifests": [image.root.descriptor()]}
    (folder / "index.json").write_text(json.dumps(top))


def load(folder: Path) -> Image:
    """Read an image layout that has one index; its blobs stay on disk."""
    top = json.loads((folder / "index.json").read_text())["manifests"][0]
    root = load_manifest(folder, top)
    children = tuple(load_manifest(folder, child) for child in root.document["manifests"])
    blobs = [load_blob(folder, part) for child in children for part in parts(child)]
    return Image(root=root, children=children, blobs=distinct(blobs))


def load_manifest(folder: Path, descriptor: dict[str, str]) -> Manifest:
    """Read a manifest or index of a layout."""
    path = folder / "blobs/sha256" / hex_of(descriptor["digest"])
    return Manifest(media_type=descriptor["mediaType"], body=path.read_bytes())


def load_blob(folder: Path, descriptor: dict[str, str]) -> Blob:
    """Return a layer or configuration of a layout; ValueError if the file is damaged."""
    blob = file_blob(descriptor["mediaType"], folder / "blobs/sha256" / hex_of(descriptor["digest"]))
    if blob.digest != descriptor["digest"]:
        shutil.rmtree(folder)
        raise ValueError(f"the cached image was damaged and has been removed: {folder}")
    return blob


def parts(manifest: Manifest) -> Iterable[dict[str, str]]:
    """Return the descriptors of the configuration and the layers."""
    return [manifest.document["config"], *manifest.document["layers"]]


def hex_of(digest: str) -> str:
    """Return the part after the colon."""
    return digest.partition(":")[2]
