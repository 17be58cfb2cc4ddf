"""Exports in the forms that engines write: the older form, the image layout, and that with compressed blobs."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import zstandard

from import_worker.engine.ends import DescribedImage
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.platform import Platform

CREATED = "2024-01-01T00:00:00Z"
AMD = Platform("linux", "amd64")


def layer(seed: str, size: int = 20_000) -> bytes:
    """Make a layer's tar with one file, half of which compresses."""
    content = random.Random(seed).randbytes(size // 2).ljust(size, b"x")
    return archive({f"files/{seed}": content})


def archive(files: dict[str, bytes], links: dict[str, str] | None = None, form: int = tarfile.USTAR_FORMAT) -> bytes:
    """Make a tar file with these entries in their order, followed by the links."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=form) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return plain.getvalue()


@dataclass(frozen=True, kw_only=True)
class Saved:
    """An image with these layers, from the bottom."""

    layers: Sequence[bytes]

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        return tuple(map(Digest.of, self.layers))

    @property
    def config(self) -> bytes:
        """Write the config with spaces, so that a test notices if it is rewritten."""
        root = {"type": "layers", "diff_ids": [str(diff_id) for diff_id in self.diff_ids]}
        document = {"os": "linux", "architecture": "amd64", "created": CREATED, "rootfs": root, "config": {}}
        return json.dumps(document, indent=1).encode()

    @property
    def id(self) -> Digest:
        return Digest.of(self.config)

    @property
    def described(self) -> DescribedImage:
        sizes = tuple(map(len, self.layers))
        return DescribedImage(id=self.id, diff_ids=self.diff_ids, sizes=sizes, platforms=(AMD,))

    def legacy(self, *, links: bool = False) -> bytes:
        """Return the form up to Docker 24, in alphabetical order; with `links`, repeated layers are links."""
        files: dict[str, bytes] = {}
        twice: dict[str, str] = {}
        names = []
        for content, (name, document) in zip(self.layers, self._v1(), strict=True):
            names.append(f"{name}/layer.tar")
            first = next((path for path, other in files.items() if other == content), None)
            files |= {f"{name}/VERSION": b"1.0", f"{name}/json": document}
            if first and links:
                twice[f"{name}/layer.tar"] = f"../{first}"
            else:
                files[f"{name}/layer.tar"] = content
        files[f"{self.id.hex}.json"] = self.config
        files["manifest.json"] = self._contents(f"{self.id.hex}.json", names)
        return archive(dict(sorted(files.items())), twice)

    def layout(self, *, reverse: bool = False) -> bytes:
        """Return the form of current engines; with `reverse`, the layers precede the documents that describe them."""
        blobs = {f"blobs/sha256/{Digest.of(content).hex}": content for content in (*self.layers, self.config)}
        names = [f"blobs/sha256/{diff_id.hex}" for diff_id in self.diff_ids]
        files = blobs | {
            "index.json": b'{"schemaVersion": 2, "manifests": []}',
            "manifest.json": self._contents(f"blobs/sha256/{self.id.hex}", names),
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        }
        return archive(dict(sorted(files.items(), reverse=reverse)), form=tarfile.PAX_FORMAT)

    def containerd(self, others: Sequence[bytes] = ()) -> tuple[Digest, bytes]:
        """Return an image store's id, which is the manifest's, and its export, with gzip and zstd in turn."""
        packed = [pack(content) for pack, content in zip(_packers(len(self.layers)), self.layers, strict=True)]
        manifest = json.dumps({"schemaVersion": 2, "config": str(self.id)}).encode()
        blobs = {f"blobs/sha256/{Digest.of(blob).hex}": blob for blob in (*others, *packed, self.config, manifest)}
        names = [f"blobs/sha256/{Digest.of(blob).hex}" for blob in packed]
        files = blobs | {"manifest.json": self._contents(f"blobs/sha256/{self.id.hex}", names)}
        return Digest.of(manifest), archive(files)

    def _contents(self, config: str, layers: Sequence[str]) -> bytes:
        return json.dumps([{"Config": config, "RepoTags": ["app:1"], "Layers": layers}]).encode()

    def _v1(self) -> list[tuple[str, bytes]]:
        """Make each layer's old id and document as Docker's image/v1 does."""
        made: list[tuple[str, bytes]] = []
        chain = ""
        for number, diff_id in enumerate(self.diff_ids):
            chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else str(diff_id)
            last = number == len(self.layers) - 1
            document = {"created": CREATED, "container_config": {"Cmd": ["sh", "-c", "a > b && c"]}}
            document |= {"os": "linux"} if last else {}
            parent = {"parent": f"sha256:{made[-1][0]}"} if made else {}
            name = hashlib.sha256(_go_json({**document, **parent, "layer_id": chain})).hexdigest()
            shown = {"id": name, **({"parent": made[-1][0]} if made else {}), **document, "os": "linux"}
            made.append((name, _go_json(shown, ordered=False)))
        return made


def _go_json(document: Mapping[str, object], *, ordered: bool = True) -> bytes:
    items = sorted(document.items()) if ordered else document.items()
    text = json.dumps(dict(items), separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026").encode()


def _packers(count: int) -> list[Callable[[bytes], bytes]]:
    packers: list[Callable[[bytes], bytes]] = [gzip.compress, in_two_members, zstandard.compress, bytes]
    return packers[:count]


def in_two_members(content: bytes) -> bytes:
    """Compress as parallel and seekable gzip writers do."""
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


@dataclass
class TarEngine:
    """An engine with one image; `cut` ends its exports after this many bytes."""

    image: DescribedImage
    export_: bytes
    cut: int | None = None
    chunk: int = 7_001
    asked: list[str] = field(default_factory=list)
    closed: int = 0

    async def describe(self, name: str) -> DescribedImage:
        self.asked.append(name)
        return self.image

    @asynccontextmanager
    async def export(self, image_id: Digest) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append(f"export {image_id}")
        try:
            yield chunks(self.export_[: self.cut], self.chunk)
        finally:
            self.closed += 1


async def chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@dataclass
class DictStreamTarget:
    """Collects streams, and compares digests as a registry does."""

    blobs: dict[str, bytes]
    cancelled: int = 0
    fail: LongshoreError | None = None

    async def start_stream(self) -> "DictStream":
        return DictStream(self)


@dataclass
class DictStream:
    target: DictStreamTarget
    content: bytes = b""

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            self.content += chunk
            if self.target.fail:
                raise self.target.fail

    async def commit(self, digest: Digest) -> None:
        assert digest.matches(self.content)
        self.target.blobs[str(digest)] = self.content

    async def cancel(self) -> None:
        self.target.cancelled += 1
