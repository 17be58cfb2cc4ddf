"""Layers on their way out of an export: hashed as they come, compressed, and hashed again as they are sent.

The same layer always gives the same bytes, so that a repeated import finds its blobs in the target. That holds for one
version of the compressing library, as with every tool.
"""

import hashlib
from enum import StrEnum
from typing import Protocol

import zstandard
from isal import isal_zlib

from import_worker.engine.unpack import GZIP_WINDOW, Gunzip, Plain, Unpacker, Unzstd
from shared.oci import media_types
from shared.oci.digest import Digest

# Intel's compressor: at this level as small as zlib's fastest, at three times its speed; its highest gains 1 %.
GZIP_LEVEL = 2
# zstd's own default: smaller than gzip at any level, and faster than zlib at its fastest.
ZSTD_LEVEL = 3
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Compression(StrEnum):
    """How layers are stored in the target; one that comes compressed stays as it is."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"

    @property
    def media_type(self) -> str:
        """The layer's, by the image specification."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Compression.GZIP: media_types.OCI_LAYER_GZIP,
    Compression.ZSTD: media_types.OCI_LAYER_ZSTD,
    Compression.NONE: media_types.OCI_LAYER,
}


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _AsItIs:
    """Passes bytes on."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class LayerPacker:
    """One layer. `taken` are the export's bytes so far, `size` those for the target."""

    def __init__(self, head: bytes, wanted: Compression) -> None:
        """Look at the layer's first bytes: what is compressed already is not compressed again."""
        came_as = compression_of(head)
        plain = came_as is Compression.NONE
        self.compression = wanted if plain else came_as
        self.taken = self.size = 0
        self._packer = _packer(wanted) if plain else _AsItIs()
        self._unpacker = _unpacker(came_as)
        self._tar = hashlib.sha256()
        self._blob = hashlib.sha256()

    def pack(self, chunk: bytes) -> bytes:
        """Return what is to be sent next; often nothing yet. Raises ValueError where the layer came broken.

        The compressed bytes depend on how the layer is cut, so it has to be cut by its own length alone.
        """
        for piece in self._unpacker.unpack(chunk):
            self._tar.update(piece)
        self.taken += len(chunk)
        return self._sent(self._packer.compress(chunk))

    def finish(self) -> bytes:
        """Return what is left to be sent."""
        return self._sent(self._packer.flush())

    @property
    def diff_id(self) -> Digest:
        """Digest of the layer's tar so far, however it came."""
        return Digest("sha256", self._tar.hexdigest())

    @property
    def digest(self) -> Digest:
        """Digest of what was sent so far."""
        return Digest("sha256", self._blob.hexdigest())

    def _sent(self, data: bytes) -> bytes:
        self._blob.update(data)
        self.size += len(data)
        return data


def compression_of(head: bytes) -> Compression:
    """Tell by its first bytes how a layer is compressed."""
    if head.startswith(GZIP_MAGIC):
        return Compression.GZIP
    return Compression.ZSTD if head.startswith(ZSTD_MAGIC) else Compression.NONE


def _packer(compression: Compression) -> _Packer:
    match compression:
        case Compression.GZIP:
            # The header that this writes has no name and no time.
            return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW)
        case Compression.ZSTD:
            return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
        case Compression.NONE:
            return _AsItIs()


def _unpacker(compression: Compression) -> Unpacker:
    match compression:
        case Compression.GZIP:
            return Gunzip()
        case Compression.ZSTD:
            return Unzstd()
        case Compression.NONE:
            return Plain()
