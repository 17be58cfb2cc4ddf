"""Pushes an engine's layers to the target as they arrive from its export, and commits each under its digest.

Exports have three forms, all read the same way: the older `docker save` (`<id>/layer.tar`, links for repeated layers),
the image layout of current engines (`blobs/sha256/<diff id>`), and the same with compressed blobs, as engines on
containerd's image store write it. A layer is identified by the digest of its tar, not by its name, so the order of the
entries does not matter.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from posixpath import basename, dirname

from import_worker.copying.ends import ProgressBoard
from import_worker.engine.compression import Compression
from import_worker.engine.ends import DescribedImage, StreamTarget
from import_worker.engine.layer_position import layer_position
from import_worker.engine.stream_layer import stream_layer
from import_worker.engine.tar_stream import TarEntry, TarError, TarStream
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import refused_if_unreadable
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.budget import DEFAULT_LIMITS, PlanLimits
from shared.tracing.spans import step

# Entries up to this size are read completely to see whether they are a config, a manifest or a list. Bytes.
MAX_DOCUMENT_SIZE = 4 * 1024 * 1024
# All documents of one export in total. Bytes.
MAX_DOCUMENTS_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedLayers:
    """The content of an export: its layers by the digests of their tars, and its documents by their paths."""

    layers: dict[Digest, Descriptor]
    documents: dict[str, bytes]


class LayerPush:
    """The push of one export to the target."""

    def __init__(
        self,
        image: DescribedImage,
        target: StreamTarget,
        board: ProgressBoard,
        compression: Compression,
        limits: PlanLimits = DEFAULT_LIMITS,
    ) -> None:
        self._image = image
        self._target = target
        self._board = board
        self._compression = compression
        self._limits = limits
        # Bytes that have been read of all layers.
        self._streamed = 0
        self._wanted = frozenset(image.diff_ids)
        self._pushed = PushedLayers(layers={}, documents={})
        self._positions: dict[str, int | None] = {}

    async def run(self, export: AsyncIterator[bytes]) -> PushedLayers:
        """Push every layer of the image; raises LongshoreError, `docker_engine_unavailable` if the export is broken."""
        for diff_id, size in zip(self._image.diff_ids, self._image.sizes, strict=True):
            self._board.show(diff_id, LayerProgress(size=size))
        tar = TarStream(export)
        try:
            while entry := await _next_entry(tar):
                if entry.is_file:
                    async with aclosing(tar.content()) as content:
                        await self._handle(entry, content)
        except TarError as error:
            raise LongshoreError(Code.DOCKER_ENGINE_UNAVAILABLE, f"The engine's export is broken: {error}.") from None
        return self._pushed

    async def _handle(self, entry: TarEntry, content: AsyncIterator[bytes]) -> None:
        """Keep a document, push a layer, skip every other entry."""
        if entry.size <= MAX_DOCUMENT_SIZE:
            whole = b"".join([piece async for piece in content])
            if _is_document(whole):
                self._keep(entry.name, whole)
                return
            content = _once(whole)
        known = self._known(entry.name)
        if _names_layer(entry.name) and known not in self._pushed.layers:
            await self._push(entry, content, known)

    def _keep(self, name: str, document: bytes) -> None:
        kept = self._pushed.documents
        if sum(map(len, kept.values())) + len(document) > MAX_DOCUMENTS_SIZE:
            raise TarError(f"its documents have more than {MAX_DOCUMENTS_SIZE} bytes")
        if basename(name) == "json":
            self._positions[dirname(name)] = layer_position(document, self._image.diff_ids)
        else:
            kept[name] = document

    def _known(self, name: str) -> Digest | None:
        """Return the layer's diff id, for its progress, if the export names it before the layer."""
        position = self._positions.get(dirname(name))
        if position is not None:
            return self._image.diff_ids[position]
        stem = basename(name).removesuffix(".tar")
        return next((diff_id for diff_id in self._wanted if diff_id.hex == stem), None)

    async def _push(self, entry: TarEntry, content: AsyncIterator[bytes], known: Digest | None) -> None:
        """Push one layer; a layer of another image in the export is read and dropped."""

        def show(layer: LayerProgress) -> None:
            if known:
                self._board.show(known, layer)

        def advance(offset: int) -> None:
            show(LayerProgress(size=entry.size, offset=offset, status=LayerStatus.DOWNLOADING))

        def accept(diff_id: Digest) -> bool:
            if known and diff_id != known:
                raise LongshoreError(Code.BLOB_DIGEST_MISMATCH, f"The engine's bytes for {known} have another digest.")
            return diff_id in self._wanted

        try:
            with step("blob", {"longshore.bytes": entry.size, "longshore.transfer": Transfer.COPIED.value}) as span:
                limited = self._within_limits(entry.name, content)
                done = await stream_layer(limited, self._target, self._compression, accept=accept, advance=advance)
                span.note({"oci.digest": str(done[1].digest)} if done else {"longshore.left_out": True})
        except LongshoreError:
            show(LayerProgress(size=entry.size, status=LayerStatus.FAILED))
            raise
        if done:
            diff_id, blob = done
            self._pushed.layers[diff_id] = blob
            self._board.show(diff_id, _completed(entry.size))

    async def _within_limits(self, name: str, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass a layer on; raises `image_too_large` as soon as the layer, or the image with it, exceeds its limit."""
        size = 0
        async for piece in content:
            size += len(piece)
            self._streamed += len(piece)
            self._limits.check_blob(f"The layer {name[:100]}", size)
            self._limits.check_image(self._streamed)
            yield piece


async def _next_entry(tar: TarStream) -> TarEntry | None:
    """Return the next entry; whatever its header makes a parser raise is the export's fault."""

    def refuse(reason: str) -> LongshoreError:
        return LongshoreError(Code.DOCKER_ENGINE_UNAVAILABLE, f"The engine's export is broken: {reason}.")

    with refused_if_unreadable(refuse, (TarError,), reader="next_entry"):
        return await tar.next_entry()


def _completed(size: int) -> LayerProgress:
    return LayerProgress(size=size, offset=size, status=LayerStatus.COMPLETED, transfer=Transfer.COPIED)


def _is_document(content: bytes) -> bool:
    """Return whether the content is a JSON object or list; a small layer has zero bytes, which JSON has not."""
    if content.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _names_layer(name: str) -> bool:
    return name.endswith(".tar") or dirname(dirname(name)) == "blobs"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
