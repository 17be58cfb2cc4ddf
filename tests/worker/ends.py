"""Dictionaries that play a source and a target, with faults on order."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deploy.local.image import Image
from import_worker.endpoints import Bring, MountFrom, Wait
from shared.errors import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.progress import LayerProgress

CHUNK = 1000


@dataclass
class DictSource:
    """An image in memory. `break_at` cuts each blob's first downloads at these offsets."""

    image: Image
    break_at: dict[str, list[int]] = field(default_factory=dict)
    damage: dict[str, bytes] = field(default_factory=dict)
    opened: list[tuple[str, int]] = field(default_factory=list)

    async def resolve(self) -> Digest:
        return Digest.parse(self.image.digest)

    async def fetch_manifest(self, digest: Digest) -> Manifest:
        for manifest in (self.image.root, *self.image.children):
            if manifest.digest == str(digest):
                return Manifest.parse(manifest.body, manifest.media_type)
        raise LongshoreError("source_not_found", f"no {digest}")

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        name = str(blob.digest)
        self.opened.append((name, offset))
        content = self.damage.get(name) or self.content(name)
        breaks = self.break_at.get(name)
        yield self._chunks(content, offset, breaks.pop(0) if breaks else None)

    def content(self, digest: str) -> bytes:
        blob = next(blob for blob in self.image.blobs if blob.digest == digest)
        return b"".join(blob.read())

    @staticmethod
    async def _chunks(content: bytes, offset: int, end: int | None) -> AsyncIterator[bytes]:
        for start in range(offset, len(content) if end is None else end, CHUNK):
            await asyncio.sleep(0)
            yield content[start : min(start + CHUNK, len(content) if end is None else end)]
        if end is not None:
            raise LongshoreError("source_unavailable", "the connection broke")


@dataclass
class DictTarget:
    """A repository in memory that checks what a registry checks."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    elsewhere: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lose_before_manifest: set[str] = field(default_factory=set)
    lose_after: int = 0
    writes: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def has_blob(self, blob: Descriptor) -> bool:
        return str(blob.digest) in self.blobs

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> "DictUpload | None":
        held = self.elsewhere.get(from_repository, {})
        if str(blob.digest) not in held:
            return DictUpload(self)
        self.blobs[str(blob.digest)] = held[str(blob.digest)]
        return None

    async def start_upload(self) -> "DictUpload":
        return DictUpload(self)

    async def find_manifest(self, reference: str) -> Digest | None:
        manifest = self.manifests.get(reference)
        return manifest.digest if manifest else None

    async def put_manifest(self, reference: str, manifest: Manifest) -> None:
        if len(self.writes) >= self.lose_after:
            for lost in self.lose_before_manifest:
                self.blobs.pop(lost, None)
                self.manifests.pop(lost, None)
            self.lose_before_manifest.clear()
        for blob in manifest.blobs:
            if str(blob.digest) not in self.blobs:
                raise LongshoreError("target_blob_unknown", f"no {blob.digest}")
        for child in manifest.manifests:
            if str(child.digest) not in self.manifests:
                raise LongshoreError("target_blob_unknown", f"no {child.digest}")
        self.manifests[reference] = self.manifests[str(manifest.digest)] = manifest
        self.writes.append(reference)


@dataclass
class DictUpload:
    target: DictTarget

    async def send(self, blob: Descriptor, chunks: AsyncIterable[bytes]) -> None:
        content = b"".join([chunk async for chunk in chunks])
        assert len(content) == blob.size
        self.target.blobs[str(blob.digest)] = content
        self.target.writes.append(str(blob.digest))

    async def cancel(self) -> None:
        self.target.cancelled += 1


@dataclass
class DictLedger:
    held: dict[Digest, str] = field(default_factory=dict)
    ways: dict[Digest, list[Bring | MountFrom | Wait]] = field(default_factory=dict)
    ended: list[tuple[Digest, bool]] = field(default_factory=list)
    recorded: list[Digest] = field(default_factory=list)
    forgotten: list[Digest] = field(default_factory=list)

    async def candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, str]:
        return {blob.digest: self.held[blob.digest] for blob in blobs if blob.digest in self.held}

    async def way(self, blob: Descriptor) -> Bring | MountFrom | Wait:
        ways = self.ways.get(blob.digest)
        return ways.pop(0) if ways else Bring()

    async def landed(self, blob: Descriptor) -> None:
        self.ended.append((blob.digest, True))

    async def given_up(self, blob: Descriptor) -> None:
        self.ended.append((blob.digest, False))

    async def record(self, blobs: Iterable[Descriptor]) -> None:
        self.recorded += [blob.digest for blob in blobs]

    async def forget(self, blob: Descriptor, repository: str) -> None:
        self.forgotten.append(blob.digest)


@dataclass
class Board:
    """Keeps everything that was shown, in order."""

    shown: list[tuple[str, LayerProgress]] = field(default_factory=list)

    def show(self, digest: Digest, layer: LayerProgress) -> None:
        self.shown.append((str(digest), layer))

    def last(self, digest: str) -> LayerProgress:
        return [layer for shown, layer in self.shown if shown == digest][-1]
