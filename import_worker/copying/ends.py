"""The two ends of a copy, and the ledger that copies share: protocols small enough for a dict to implement.

Methods carry the names of the distribution specification's steps. All raise LongshoreError with a code of their side.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from shared.http_client.body import Body
from shared.model.progress import LayerProgress
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.source import ReadableImage


class Download(Protocol):
    """A blob's bytes from an offset on, read by a thread."""

    def skip_into(self, buffer: memoryview) -> int:
        """Wait for bytes before the offset, sent although not requested; called first, until it returns 0."""
        ...

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes and return how many; 0 at the blob's end, which comes after exactly the blob's size."""
        ...

    def abort(self) -> None:
        """Make a read that blocks another thread fail."""
        ...


class Source(ReadableImage, Protocol):
    """The image that is copied."""

    def download_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[Download]:
        """Open the blob's bytes from an offset before its end."""
        ...

    async def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the source confirms, to this import's account, that it has the blob with this size."""
        ...


class Upload(Protocol):
    """An upload session at the target."""

    @property
    def address(self) -> str:
        """The address for `Target.resume_upload`, valid in other processes too."""
        ...

    async def send(self, blob: Descriptor, content: bytes) -> None:
        """Send the whole blob and commit it under its digest."""
        ...

    async def append(self, offset: int, body: Body) -> None:
        """Send bytes, the first of which is the blob's at `offset`; an exception of the body is raised unchanged."""
        ...

    async def received(self) -> int | None:
        """Return how many bytes the target reports as received; None if it lost the session or reports nothing."""
        ...

    async def commit(self, blob: Descriptor) -> None:
        """Make the appended bytes a blob; the target refuses if their digest is not the blob's."""
        ...

    async def cancel(self) -> None:
        """Have the target drop the session; failures are ignored."""
        ...


class Target(Protocol):
    """The repository that an image is copied to."""

    async def is_empty(self) -> bool:
        """Return whether the repository is known to have no tags, as before the first push; a hint."""
        ...

    async def has_blob(self, blob: Descriptor) -> bool: ...

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> Upload | None:
        """Mount the blob from another repository; returns None on success, else a session to upload it in."""
        ...

    async def start_upload(self) -> Upload: ...

    def resume_upload(self, address: str) -> Upload | None:
        """Return an upload that another worker started, which may be gone; None if another target gave the address."""
        ...

    async def find_manifest(self, reference: str) -> Digest | None:
        """Return the digest that a tag or a digest has in the target; None if it does not exist."""
        ...

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        check_replaced: Callable[[Digest | None], None] | None = None,
    ) -> None:
        """Store the manifest under a tag or its digest; `target_blob_unknown` if it refers to a missing blob.

        Right before each sending `before` is awaited, and `check_replaced` then gets the digest that the reference has,
        None if it does not exist. Their exceptions are raised unchanged.
        """
        ...


@dataclass(frozen=True, slots=True)
class StartTransfer:
    """This import transfers the blob: it may have it from no other repository, and waits for no other import.

    `upload` is the address of an unfinished upload to this repository, left by an earlier transfer.
    """

    upload: str | None = None


@dataclass(frozen=True, slots=True)
class MountFrom:
    """Another repository of the target is known to hold the blob, and this import may have it from there.

    With `confirm`, it may only if its own source confirms that it has the blob.
    """

    repository: str
    confirm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The import attempt that transfers a blob."""

    import_name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WaitForTransfer:
    """Another import is transferring the blob, with this size, from the same source host.

    It has transferred `offset` bytes; `confirm` is as in `MountFrom`. `holder` is None if that transfer has just ended.
    """

    offset: int
    confirm: bool = False
    holder: Holder | None = field(default=None, compare=False, repr=False)


class BlobLedger(Protocol):
    """Knows the blobs of the target's repositories and the transfers of other imports.

    Where a blob is, is a hint. Whether this import may have it from another project is proven: a digest in a manifest
    is no proof, because any registry can write any digest there. Why: docs/decisions/0042.
    """

    async def held_by_repository(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those blobs that the target's repository is known to hold."""
        ...

    async def mount_candidates(self, blobs: Sequence[Descriptor]) -> Mapping[Digest, MountFrom]:
        """Return a repository for each blob that this import may have from another repository."""
        ...

    async def next_step(
        self, blob: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
    ) -> StartTransfer | MountFrom | WaitForTransfer:
        """Decide how a blob gets into the target's repository; `StartTransfer` claims the transfer if it is free.

        Without `confirmable`, because the source has denied that it has the blob, no answer needs its confirmation.
        The transfer also counts as free if `instead_of`, which is too slow, holds the claim.
        """
        ...

    async def awaited_step(self, blob: Descriptor, *, confirmable: bool = True) -> MountFrom | WaitForTransfer | None:
        """Return the next step without claiming anything; None if the import no longer has to wait."""
        ...

    def watch_transfer(self, blob: Descriptor) -> AbstractContextManager[asyncio.Event]:
        """Return an event that is set when a transfer of the blob ends; a hint that may get lost."""
        ...

    async def upload_started(self, blob: Descriptor, address: str) -> None:
        """Record the upload of a claimed transfer, so that another worker can continue it."""
        ...

    async def record_sent(self, blob: Descriptor, sent: int) -> None:
        """Record how many bytes of a claimed transfer have arrived, for the imports that wait."""
        ...

    async def complete_transfer(self, blob: Descriptor, *, read: bool) -> None:
        """End a transfer: the target's repository holds the blob.

        `read` proves it for other projects: this import has read all bytes from its source, and their digest matched.
        """
        ...

    async def release_transfer(self, blob: Descriptor) -> None:
        """Give up a claimed transfer, so that another import can claim it."""
        ...

    async def record(self, blobs: Iterable[Descriptor], *, read: AbstractSet[Digest]) -> None:
        """Record that the target's repository holds these blobs; `read` is as in `complete_transfer`."""
        ...

    async def forget(self, blob: Descriptor, repository: str) -> None:
        """Drop a mount candidate that the target refused."""
        ...


class ImportSlot(Protocol):
    """The worker's slot that an import holds."""

    def give_back(self) -> bool:
        """Let another import have the slot, and return True; False while too many imports have given theirs back."""
        ...

    async def take_again(self) -> None:
        """Wait until a slot is free, and take it, before any new import."""
        ...


class ProgressBoard(Protocol):
    """Receives the progress of each blob."""

    def show(self, digest: Digest, layer: LayerProgress) -> None: ...
