"""Compresses the layers of an export, hashing them before and after.

The same layer always gives the same bytes, so that a repeated import finds its blobs in the target. This holds for one
version of the compressing library, as with every tool.
"""

import hashlib
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import zstandard
from isal import isal_zlib

from shared.oci import media_types
from shared.oci.digest import Digest

# Intel's compressor: at this level, output as small as zlib's fastest at three times its speed; the highest level saves
# another 1 %.
GZIP_LEVEL = 2
# zstd's own default: smaller than gzip at any level, and faster than zlib at its fastest.
ZSTD_LEVEL = 3
# Window size that selects gzip's container around the deflate stream.
GZIP_WINDOW = 31
# Bytes that gzip returns at a time, so that a decompression bomb stays small in memory.
GZIP_PIECE = 1024 * 1024
# Bytes passed to zstd at a time: four bytes can encode a block of 128 KiB, so this returns 32 MiB at worst.
ZSTD_PIECE = 1024
# The largest window that a layer may require; four times that of the usual levels. Bytes.
ZSTD_WINDOW = 32 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Compression(StrEnum):
    """How layers are stored in the target; a layer that is compressed already stays as it is."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"

    @property
    def media_type(self) -> str:
        """The media type of a layer, by the image specification."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Compression.GZIP: media_types.OCI_LAYER_GZIP,
    Compression.ZSTD: media_types.OCI_LAYER_ZSTD,
    Compression.NONE: media_types.OCI_LAYER,
}


class Unpacker(Protocol):
    """Returns the tar inside a layer; raises ValueError if the layer is broken."""

    def unpack(self, chunk: bytes) -> Iterator[bytes]: ...


class Plain:
    """A layer that is not compressed."""

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class Gunzip:
    """Reads across gzip members, as parallel and seekable writers make them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_WINDOW)

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                if self._member.eof:
                    self._member = zlib.decompressobj(GZIP_WINDOW)
                yield self._member.decompress(chunk, GZIP_PIECE)
                chunk = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise ValueError(f"its gzip stream is broken: {error}") from None


class Unzstd:
    """Reads across frames, as seekable writers make them."""

    def __init__(self) -> None:
        self._frames = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj(read_across_frames=True)

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(chunk), ZSTD_PIECE):
                yield self._frames.decompress(chunk[start : start + ZSTD_PIECE])
        except zstandard.ZstdError as error:
            raise ValueError(f"its zstd stream is broken: {error}") from None


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _NoCompression:
    """Returns bytes unchanged."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class LayerPacker:
    """One layer. `taken` is the number of the export's bytes so far, `size` the number of bytes for the target."""

    def __init__(self, head: bytes, wanted: Compression) -> None:
        """Detect by the layer's first bytes whether it is compressed already, and then keep it as it is."""
        found = compression_of(head)
        plain = found is Compression.NONE
        self.compression = wanted if plain else found
        self.taken = self.size = 0
        self._packer = _packer(wanted) if plain else _NoCompression()
        self._unpacker = _unpacker(found)
        self._tar = hashlib.sha256()
        self._blob = hashlib.sha256()

    def pack(self, chunk: bytes) -> bytes:
        """Return the bytes to send next, often none yet; raises ValueError if the layer is broken.

        The compressed bytes depend on how the layer is split, so the split must depend on the layer's length alone.
        """
        for piece in self._unpacker.unpack(chunk):
            self._tar.update(piece)
        self.taken += len(chunk)
        return self._sent(self._packer.compress(chunk))

    def finish(self) -> bytes:
        """Return the last bytes to send."""
        return self._sent(self._packer.flush())

    @property
    def diff_id(self) -> Digest:
        """The digest of the layer's uncompressed tar so far."""
        return Digest("sha256", self._tar.hexdigest())

    @property
    def digest(self) -> Digest:
        """The digest of the bytes returned so far."""
        return Digest("sha256", self._blob.hexdigest())

    def _sent(self, data: bytes) -> bytes:
        self._blob.update(data)
        self.size += len(data)
        return data


def compression_of(head: bytes) -> Compression:
    """Return how a layer is compressed, by its first bytes."""
    if head.startswith(GZIP_MAGIC):
        return Compression.GZIP
    return Compression.ZSTD if head.startswith(ZSTD_MAGIC) else Compression.NONE


def _packer(compression: Compression) -> _Packer:
    match compression:
        case Compression.GZIP:
            # Its header has no file name and no time.
            return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW)
        case Compression.ZSTD:
            return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
        case Compression.NONE:
            return _NoCompression()


def _unpacker(compression: Compression) -> Unpacker:
    match compression:
        case Compression.GZIP:
            return Gunzip()
        case Compression.ZSTD:
            return Unzstd()
        case Compression.NONE:
            return Plain()
