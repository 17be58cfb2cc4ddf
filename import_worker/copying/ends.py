"""The two ends of a copy, as the copy sees them: small enough for a dict to play either in a test.

Methods carry the names of the distribution specification's steps. All raise LongshoreError with a code of their side.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.http_client.body import Body
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.source import ReadableImage


class Download(Protocol):
    """A blob's bytes from an offset on, as a thread reads them."""

    def skip_into(self, buffer: memoryview) -> int:
        """Wait for bytes from before the offset, sent unasked, and return how many; called first, until it is 0."""
        ...

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes and return how many; 0 at the blob's end, which comes after exactly the blob's size."""
        ...

    def abort(self) -> None:
        """Make a read that waits in another thread end, with an error."""
        ...


class Source(ReadableImage, Protocol):
    """Where an image comes from."""

    def download_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[Download]:
        """Open the blob's bytes from an offset before its end."""
        ...

    async def resolve(self) -> Digest:
        """Return the digest that the image's reference points to."""
        ...


class Upload(Protocol):
    """An upload session at the target."""

    @property
    def address(self) -> str:
        """What `Target.find_upload` finds it by, also from another process."""
        ...

    async def send(self, blob: Descriptor, content: bytes) -> None:
        """Send the whole blob and commit it under its digest."""
        ...

    async def append(self, offset: int, body: Body) -> None:
        """Send bytes, the first of which is the blob's at `offset`; what the body raises comes out unchanged."""
        ...

    async def taken(self) -> int | None:
        """Return how many bytes the target says it has taken; None where it lost the session or does not say."""
        ...

    async def commit(self, blob: Descriptor) -> None:
        """Make what was appended a blob, which the target refuses where the digest is not that of the bytes."""
        ...

    async def cancel(self) -> None:
        """Tell the target to forget the session; failures do not matter."""
        ...


class Target(Protocol):
    """The repository that an image goes to."""

    async def is_empty(self) -> bool:
        """Tell whether the repository is known to have no tags, as one that was never written to; a hint."""
        ...

    async def has_blob(self, blob: Descriptor) -> bool: ...

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> Upload | None:
        """Link the blob from another repository; None when that is done, else a session to upload it in."""
        ...

    async def start_upload(self) -> Upload: ...

    def find_upload(self, address: str) -> Upload | None:
        """Return an upload that was begun elsewhere, which may be gone; None where it cannot be of this target."""
        ...

    async def find_manifest(self, reference: str) -> Digest | None:
        """Return the digest that a tag or a digest has in the target; None when it does not exist."""
        ...

    async def put_manifest(
        self, reference: str, manifest: Manifest, *, before: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Store the manifest under a tag or its digest; `target_blob_unknown` when it refers to a missing blob.

        `before` is awaited right before it is sent, each time it is; what that raises comes out unchanged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Bring:
    """Nobody has the blob or brings it: stream it from the source.

    `upload` is the address of an upload into this very repository, left behind by whoever brought it before.
    """

    upload: str | None = None


@dataclass(frozen=True, slots=True)
class MountFrom:
    """Another repository of the target is known to hold the blob."""

    repository: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Another import is bringing the blob; so many bytes of it have arrived."""

    offset: int


class BlobLedger(Protocol):
    """What is known of the target's other repositories, and what other imports are bringing there. Hints only."""

    async def held_here(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those that the target's repository itself is known to hold."""
        ...

    async def candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, str]:
        """Return, for those blobs that another repository is known to hold, that repository."""
        ...

    async def way(self, blob: Descriptor) -> Bring | MountFrom | Wait:
        """Tell how a blob that the target's repository lacks gets there; with `Bring`, others wait for this import."""
        ...

    def flight_ends(self, blob: Descriptor) -> AbstractContextManager[asyncio.Event]:
        """Lend an event that is set when somebody has brought the blob, or given that up; a hint that may get lost."""
        ...

    async def began(self, blob: Descriptor, upload: str) -> None:
        """Tell, after `Bring`, the address of the upload, so that another worker may go on with it."""
        ...

    async def landed(self, blob: Descriptor) -> None:
        """Tell that what `Bring` asked for is done: others may mount the blob from the target's repository."""
        ...

    async def given_up(self, blob: Descriptor) -> None:
        """Tell that what `Bring` asked for is not done, so that another import does it."""
        ...

    async def record(self, blobs: Iterable[Descriptor]) -> None:
        """Note that the target repository holds these blobs now."""
        ...

    async def forget(self, blob: Descriptor, repository: str) -> None:
        """Drop a candidate that could not be mounted."""
        ...
