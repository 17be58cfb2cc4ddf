"""What has been read from one side of a connection and not been sent to the other yet."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some bytes and the loop's time when they came; none are the end."""

    content: bytes
    came: float


class Buffer:
    """A line of pieces between one reader and one writer."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def put(self, piece: Piece, limit: int) -> None:
        """Add a piece as soon as there are fewer bytes than the limit."""
        while self._size >= limit:
            self._emptied.clear()
            await self._emptied.wait()
        self._pieces.append(piece)
        self._size += len(piece.content)
        self._filled.set()

    async def get(self) -> Piece:
        """Take the oldest piece, as soon as there is one."""
        while not self._pieces:
            self._filled.clear()
            await self._filled.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece.content)
        self._emptied.set()
        return piece
