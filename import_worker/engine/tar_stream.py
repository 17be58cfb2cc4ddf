"""Reads a tar file as it arrives, entry by entry and each as a stream, without keeping any.

The standard library's reader blocks and keeps a list of all entries; only its header parser is used here.
"""

import re
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

BLOCK = 512
# Extended headers hold a name, a size, a few attributes. Bytes.
MAX_EXTENDED_HEADER = 1024 * 1024
# Bytes returned at a time: large enough for hashing in another thread to pay off.
PIECE = 512 * 1024
_PAX_RECORD = re.compile(rb"(\d+) ([^=]+)=")


class TarError(Exception):
    """The bytes are not a tar file, or end too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TarEntry:
    """One entry. `size` is that of its content in bytes; folders and links have none."""

    name: str
    is_file: bool
    size: int


class TarStream:
    """The entries of a tar file. The unread rest of an entry is skipped by the next `next_entry`."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()
        self._left = self._padding = 0

    async def next_entry(self) -> TarEntry | None:
        """Return the next entry, None at the end; raises TarError if there is neither."""
        async for _ in self.content():
            pass
        await self._take(self._padding)
        self._padding = 0
        extended: dict[str, str] = {}
        while header := await self._header():
            if header.type not in _EXTENDED:
                return self._begin(header, extended)
            extended |= _EXTENDED[header.type](await self._body(header.size))
        return None

    async def content(self) -> AsyncGenerator[bytes, None]:
        """Yield the content of the current entry in pieces, of which the last may be shorter."""
        while self._left:
            piece = await self._take(min(self._left, PIECE))
            self._left -= len(piece)
            yield piece

    def _begin(self, header: tarfile.TarInfo, extended: dict[str, str]) -> TarEntry:
        size = int(extended.get("size", header.size))
        if size < 0:
            raise TarError("an entry has a negative size")
        # A link's header may state the size of the file that it points to.
        self._left = 0 if header.islnk() or header.issym() else size
        self._padding = -self._left % BLOCK
        return TarEntry(name=extended.get("path", header.name), is_file=header.isreg(), size=self._left)

    async def _header(self) -> tarfile.TarInfo | None:
        """Return the next header; None at the end, which is two empty blocks or the end of the bytes."""
        block = await self._take(BLOCK, may_end=True)
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise TarError(f"a header is broken: {error}") from None

    async def _body(self, size: int) -> bytes:
        if not 0 <= size <= MAX_EXTENDED_HEADER:
            raise TarError(f"an extended header has {size} bytes")
        content = await self._take(size)
        await self._take(-size % BLOCK)
        return content

    async def _take(self, size: int, *, may_end: bool = False) -> bytes:
        while len(self._buffer) < size:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                if may_end and not self._buffer:
                    return b""
                raise TarError("it ended in the middle of an entry")
            self._buffer += chunk
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _read_pax(content: bytes) -> dict[str, str]:
    """Read the records of an extended header (POSIX pax): `length key=value`, the length counting all of it."""
    records: dict[str, str] = {}
    while match := _PAX_RECORD.match(content):
        length = int(match[1])
        if length <= match.end():
            raise TarError("an extended header's record has no end")
        value = content[match.end() : length - 1]
        records[match[2].decode(errors="replace")] = value.decode(errors="surrogateescape")
        content = content[length:]
    if "size" in records and not re.fullmatch("[0-9]{1,19}", records["size"]):
        raise TarError("an extended header's size is no number")
    return records


def _read_long_name(content: bytes) -> dict[str, str]:
    return {"path": content.partition(b"\0")[0].decode(errors="surrogateescape")}


def _read_nothing(_: bytes) -> dict[str, str]:
    """Ignore global records, which describe no single entry, and long link names: links are not followed."""
    return {}


_EXTENDED = {
    tarfile.XHDTYPE: _read_pax,
    tarfile.SOLARIS_XHDTYPE: _read_pax,
    tarfile.XGLTYPE: _read_nothing,
    tarfile.GNUTYPE_LONGNAME: _read_long_name,
    tarfile.GNUTYPE_LONGLINK: _read_nothing,
}
