"""The two ends of an engine's push: protocols small enough for a tar file in memory to implement."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.oci.digest import Digest
from shared.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedImage:
    """An image as the engine describes it before the export.

    `diff_ids` are its layers from the bottom, repeated as often as they occur; `sizes` are their approximate sizes in
    bytes.
    """

    id: Digest
    diff_ids: tuple[Digest, ...]
    sizes: tuple[int, ...]
    platforms: tuple[Platform, ...]


class Engine(Protocol):
    """A Docker Engine. Both methods raise LongshoreError with a code of the source's side."""

    async def describe(self, name: str) -> DescribedImage:
        """Look an image up by name or id; raises `source_not_found`."""
        ...

    def export(self, image_id: Digest) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream the image in the form of `docker save`; closing the context early ends the export."""
        ...


class StreamedUpload(Protocol):
    """An upload session for a blob whose size and digest are known only at its end."""

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Send all chunks; an exception of the iterator is raised unchanged."""
        ...

    async def commit(self, digest: Digest) -> None:
        """Make the sent bytes a blob."""
        ...

    async def cancel(self) -> None:
        """Have the target drop the session; failures are ignored."""
        ...


class StreamTarget(Protocol):
    """The repository that layers of unknown size are pushed to."""

    async def start_stream(self) -> StreamedUpload: ...
