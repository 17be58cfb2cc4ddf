"""An image on a Docker Engine, as the push sees it: small enough for a tar file in memory to play in a test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.oci.digest import Digest
from shared.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedImage:
    """What the engine says of an image before it exports it.

    `diff_ids` are its layers from the bottom, as often as they are in it; `sizes` what each will about be, in bytes.
    """

    id: Digest
    diff_ids: tuple[Digest, ...]
    sizes: tuple[int, ...]
    platforms: tuple[Platform, ...]


class Engine(Protocol):
    """Where images are described and exported. Both raise LongshoreError with a code of the source's side."""

    async def describe(self, name: str) -> DescribedImage:
        """Look an image up by name or id; raises `source_not_found`."""
        ...

    def export(self, image_id: Digest) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream the image as `docker save` writes it; leaving early ends the export."""
        ...


class StreamedUpload(Protocol):
    """An upload session for a blob whose size and digest show at its end."""

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Send everything; an exception from `chunks` comes out as it is."""
        ...

    async def commit(self, digest: Digest) -> None:
        """Make it a blob."""
        ...

    async def cancel(self) -> None:
        """Tell the target to forget the session; failures do not matter."""
        ...


class StreamTarget(Protocol):
    """The repository that layers of unknown size go to."""

    async def start_stream(self) -> StreamedUpload: ...
