"""Dictionaries as a source and a target, with faults on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from deploy.local.images.image import Image
from import_worker.copying.ends import Holder, MountFrom, StartTransfer, WaitForTransfer
from import_worker.copying.tag import End
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.body import Body
from shared.model.progress import LayerProgress
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest

CHUNK = 1000


@dataclass
class DictSource:
    """An image in memory. `break_at` cuts each blob's first downloads at these offsets.

    `confirms` are the blobs that it confirms to have, or the error that it answers instead; `asked` are the questions.
    """

    image: Image
    break_at: dict[str, list[int]] = field(default_factory=dict)
    damage: dict[str, bytes] = field(default_factory=dict)
    opened: list[tuple[str, int]] = field(default_factory=list)
    confirms: set[str] | LongshoreError = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def has_blob(self, blob: Descriptor) -> bool:
        self.asked.append(str(blob.digest))
        if isinstance(self.confirms, LongshoreError):
            raise self.confirms
        return str(blob.digest) in self.confirms

    async def resolve(self) -> Digest:
        return Digest.parse(self.image.digest)

    async def fetch_manifest(self, digest: Digest, limit: int = MAX_MANIFEST_SIZE) -> Manifest:
        for manifest in (self.image.root, *self.image.children):
            if manifest.digest == str(digest):
                if len(manifest.body) > limit:
                    raise LongshoreError(Code.SOURCE_PROTOCOL_ERROR, f"more than {limit} bytes")
                return Manifest.parse(manifest.body, manifest.media_type)
        raise LongshoreError(Code.SOURCE_NOT_FOUND, f"no {digest}")

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._chunks(self._open(blob, offset))

    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator["DictDownload"]:
        yield self._open(blob, offset)

    def _open(self, blob: Descriptor, offset: int) -> "DictDownload":
        name = str(blob.digest)
        self.opened.append((name, offset))
        content = self.damage.get(name) or self.content(name)
        breaks = self.break_at.get(name)
        return DictDownload(memoryview(content), offset, breaks.pop(0) if breaks else None)

    def content(self, digest: str) -> bytes:
        blob = next(blob for blob in self.image.blobs if blob.digest == digest)
        return b"".join(blob.read())

    @staticmethod
    async def _chunks(download: "DictDownload") -> AsyncIterator[bytes]:
        buffer = memoryview(bytearray(CHUNK))
        while count := download.read_into(buffer):
            await asyncio.sleep(0)
            yield bytes(buffer[:count])


class DictDownload:
    """Reads up to `end`, where the connection breaks; with None, up to the content's own end."""

    def __init__(self, content: memoryview, offset: int, end: int | None) -> None:
        self._rest = content[offset:end]
        self._breaks = end is not None

    def skip_into(self, _buffer: memoryview) -> int:
        return 0

    def read_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), CHUNK, len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        if not count and self._breaks:
            raise LongshoreError(Code.SOURCE_UNAVAILABLE, "the connection broke")
        return count

    def abort(self) -> None:
        self._rest = self._rest[:0]


@dataclass
class DictTarget:
    """A repository in memory with the checks of a registry."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    elsewhere: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lose_before_manifest: set[str] = field(default_factory=set)
    lose_after: int = 0
    writes: list[str] = field(default_factory=list)
    break_uploads_at: list[int] = field(default_factory=list)
    keeps_sessions: bool = True
    lose_commits: int = 0
    lose_size: int = 12_345
    appended: list[int] = field(default_factory=list)
    uploads: list["DictUpload"] = field(default_factory=list)
    cancelled: int = 0
    looks: int = 0

    async def is_empty(self) -> bool:
        return not self.manifests

    async def has_blob(self, blob: Descriptor) -> bool:
        self.looks += 1
        return str(blob.digest) in self.blobs

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> "DictUpload | None":
        held = self.elsewhere.get(from_repository, {})
        if str(blob.digest) not in held:
            return DictUpload(self)
        self.blobs[str(blob.digest)] = held[str(blob.digest)]
        return None

    async def start_upload(self) -> "DictUpload":
        self.uploads.append(DictUpload(self))
        return self.uploads[-1]

    def resume_upload(self, address: str) -> "DictUpload":
        return self.uploads[int(address)]

    async def find_manifest(self, reference: str) -> Digest | None:
        manifest = self.manifests.get(reference)
        return manifest.digest if manifest else None

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        check_replaced: Callable[[Digest | None], None] | None = None,
    ) -> None:
        if before:
            await before()
        if check_replaced:
            check_replaced(await self.find_manifest(reference))
        if len(self.writes) >= self.lose_after:
            for lost in self.lose_before_manifest:
                self.blobs.pop(lost, None)
                self.manifests.pop(lost, None)
            self.lose_before_manifest.clear()
        for blob in manifest.blobs:
            if str(blob.digest) not in self.blobs:
                raise LongshoreError(Code.TARGET_BLOB_UNKNOWN, f"no {blob.digest}")
        for child in manifest.manifests:
            if str(child.digest) not in self.manifests:
                raise LongshoreError(Code.TARGET_BLOB_UNKNOWN, f"no {child.digest}")
        self.manifests[reference] = self.manifests[str(manifest.digest)] = manifest
        self.writes.append(reference)


@dataclass(eq=False)
class DictUpload:
    """A session, which breaks at the positions that the target lists."""

    target: DictTarget
    content: bytearray = field(default_factory=bytearray)

    @property
    def address(self) -> str:
        return str(self.target.uploads.index(self))

    async def send(self, blob: Descriptor, content: bytes) -> None:
        self.content += content
        await self.commit(blob)

    async def append(self, offset: int, body: Body) -> None:
        assert offset == len(self.content)
        self.target.appended.append(offset)
        await asyncio.to_thread(body.send_to, self._write)
        assert len(self.content) == offset + body.size

    async def received(self) -> int | None:
        return len(self.content) if self.target.keeps_sessions else None

    async def commit(self, blob: Descriptor) -> None:
        if not blob.digest.matches(bytes(self.content)):
            raise LongshoreError(Code.TARGET_UNAVAILABLE, "the digest is another one")
        if self.target.lose_commits and blob.size == self.target.lose_size:
            self.target.lose_commits -= 1
            raise LongshoreError(Code.TARGET_UNREACHABLE, "the connection broke")
        self.target.blobs[str(blob.digest)] = bytes(self.content)
        self.target.writes.append(str(blob.digest))

    def _write(self, data: memoryview) -> None:
        breaks = self.target.break_uploads_at
        if breaks and len(self.content) + len(data) > breaks[0]:
            self.content += data[: breaks[0] - len(self.content)]
            breaks.pop(0)
            raise LongshoreError(Code.TARGET_UNAVAILABLE, "the connection broke")
        self.content += data

    async def cancel(self) -> None:
        self.target.cancelled += 1


@dataclass
class DictLedger:
    """Answers as scripted. `proven` are the blobs that this import has read from its source.

    `replaced` are the holders of transfers that were too slow to wait for.
    """

    held: dict[Digest, str | MountFrom] = field(default_factory=dict)
    here: set[Digest] = field(default_factory=set)
    next_steps: dict[Digest, list[StartTransfer | MountFrom | WaitForTransfer]] = field(default_factory=dict)
    ended: list[tuple[Digest, bool]] = field(default_factory=list)
    recorded: list[Digest] = field(default_factory=list)
    proven: set[Digest] = field(default_factory=set)
    forgotten: list[Digest] = field(default_factory=list)
    uploads: dict[Digest, str] = field(default_factory=dict)
    replaced: list[Holder] = field(default_factory=list)
    sent: list[tuple[Digest, int]] = field(default_factory=list)

    async def held_by_repository(self, blobs: Sequence[Descriptor]) -> set[Digest]:
        return {blob.digest for blob in blobs} & self.here

    async def mount_candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, MountFrom]:
        held = {blob.digest: self.held[blob.digest] for blob in blobs if blob.digest in self.held}
        return {digest: MountFrom(one) if isinstance(one, str) else one for digest, one in held.items()}

    async def next_step(
        self, blob: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
    ) -> StartTransfer | MountFrom | WaitForTransfer:
        self.replaced += [instead_of] if instead_of else []
        steps = self.next_steps.get(blob.digest, [])
        while steps:
            step = steps.pop(0)
            if confirmable or isinstance(step, StartTransfer) or not step.confirm:
                return step
        return StartTransfer(self.uploads.get(blob.digest))

    async def awaited_step(self, blob: Descriptor, *, confirmable: bool = True) -> MountFrom | WaitForTransfer | None:
        steps = self.next_steps.get(blob.digest, [])
        step = steps[0] if steps else None
        if isinstance(step, WaitForTransfer) and (confirmable or not step.confirm):
            steps.pop(0)
            return step
        return None

    def watch_transfer(self, _blob: Descriptor) -> AbstractContextManager[asyncio.Event]:
        return nullcontext(asyncio.Event())

    async def upload_started(self, blob: Descriptor, address: str) -> None:
        self.uploads[blob.digest] = address

    async def record_sent(self, blob: Descriptor, sent: int) -> None:
        self.sent.append((blob.digest, sent))

    async def complete_transfer(self, blob: Descriptor, *, read: bool) -> None:
        self.ended.append((blob.digest, True))
        if read:
            self.proven.add(blob.digest)

    async def release_transfer(self, blob: Descriptor) -> None:
        self.ended.append((blob.digest, False))

    async def record(self, blobs: Iterable[Descriptor], *, read: AbstractSet[Digest]) -> None:
        self.recorded += [blob.digest for blob in blobs]
        self.proven |= read

    async def forget(self, blob: Descriptor, repository: str) -> None:
        self.forgotten.append(blob.digest)


@dataclass
class DictTags:
    """The companion tags that imports wrote."""

    written: set[tuple[str, Digest]] = field(default_factory=set)
    confirmed: dict[str, Digest] = field(default_factory=dict)
    # Sendings whose end is not known, in order.
    open_writes: list[tuple[str, Digest]] = field(default_factory=list)
    subjects: dict[str, Digest | None] = field(default_factory=dict)

    async def has_written(self, tag: str, digest: Digest) -> bool:
        return (tag, digest) in self.written

    async def record_tag(self, tag: str, digest: Digest) -> None:
        self.written.add((tag, digest))

    async def confirm_tag(self, tag: str, digest: Digest) -> None:
        if (tag, digest) in self.written:
            self.confirmed[tag] = digest

    async def begin_write(self, tag: str, digest: Digest, *, subject: Digest | None = None) -> End:
        self.open_writes.append((tag, digest))
        self.subjects[tag] = subject

        async def end() -> None:
            self.open_writes.remove((tag, digest))

        return end


@dataclass
class Board:
    """Keeps everything that was shown, in order."""

    shown: list[tuple[str, LayerProgress]] = field(default_factory=list)

    def show(self, digest: Digest, layer: LayerProgress) -> None:
        self.shown.append((str(digest), layer))

    def last(self, digest: str) -> LayerProgress:
        return [layer for shown, layer in self.shown if shown == digest][-1]
