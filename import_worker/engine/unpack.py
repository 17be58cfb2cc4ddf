"""Unpacks a compressed layer as it passes, a little at a time, so that a bomb stays small in memory."""

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

# gzip's container around the deflate stream.
GZIP_WINDOW = 31
# What gzip may give at a time. Bytes.
GZIP_PIECE = 1024 * 1024
# What zstd is fed at a time: four bytes may stand for a block of 128 KiB, so this gives 32 MiB at worst. Bytes.
ZSTD_PIECE = 1024
# The largest window that a layer may ask for; four times what the usual levels use. Bytes.
ZSTD_WINDOW = 32 * 1024 * 1024


class Unpacker(Protocol):
    """Gives the tar inside a layer; ValueError where the layer is broken."""

    def unpack(self, chunk: bytes) -> Iterator[bytes]: ...


class Plain:
    """A layer that is not compressed."""

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class Gunzip:
    """Reads across the members that parallel and seekable writers make."""

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
