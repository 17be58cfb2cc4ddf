"""One repository of the target registry, as the copy and the Docker Engine's push write to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from import_worker.adapters.endable_chunks import EndableChunks
from import_worker.adapters.open_uploads import OpenUploads
from import_worker.adapters.upload_log import NoUploadLog, UploadLog
from shared.errors.error import LongshoreError
from shared.http_client.body import Body
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.referrers.link import link_referrers
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession
from shared.runtime.concurrency import finish_within

# The time for the end of a request that is under way when its import is cancelled: some registries cannot cancel an
# upload whose request was cut. Seconds.
SEND_SECONDS = 3.0


class RegistryTarget:
    """Fits `copying.referrers.ReferrersTarget` and `engine.ends.StreamTarget`."""

    def __init__(self, repository: Repository, uploads: UploadLog | None = None) -> None:
        """Write to this repository; `uploads` gets each upload before its first byte. `settle` ends it."""
        self._repository = repository
        self._uploads = OpenUploads(repository, uploads or NoUploadLog())

    async def settle(self) -> None:
        """End the attempt: leave no upload that only this process knows."""
        await self._uploads.settle()

    async def is_empty(self) -> bool:
        return await self._repository.is_empty()

    async def has_blob(self, blob: Descriptor) -> bool:
        return await self._repository.has_blob(blob)

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> "RegistryUpload | None":
        session = await self._repository.mount_blob(blob, from_repository)
        return await self._opened(session) if session else None

    async def start_upload(self) -> "RegistryUpload":
        return await self._opened(await self._repository.start_upload())

    def resume_upload(self, address: str) -> "RegistryUpload | None":
        session = self._repository.restore_session(address)
        return RegistryUpload(self._repository, session, self._uploads, resumed=True) if session else None

    async def start_stream(self) -> "RegistryStream":
        session = await self._repository.start_upload()
        await self._uploads.opened(session.location)
        return RegistryStream(self._repository, session, self._uploads)

    async def _opened(self, session: UploadSession) -> "RegistryUpload":
        await self._uploads.opened(session.location)
        return RegistryUpload(self._repository, session, self._uploads)

    async def find_manifest(self, reference: str) -> Digest | None:
        found = await self._repository.find_manifest(reference)
        return found.digest if found else None

    async def put_manifest(
        self,
        reference: str,
        manifest: Manifest,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        check_replaced: Callable[[Digest | None], None] | None = None,
    ) -> None:
        await self._repository.put_manifest(reference, manifest, before=before, check_replaced=check_replaced)

    async def fetch_manifest(self, reference: str) -> Manifest:
        return await self._repository.get_manifest(reference)

    async def link_referrers(
        self, subject: Digest, referrers: Sequence[Manifest], *, before: Callable[[str, Digest], Awaitable[None]]
    ) -> Digest | None:
        return await link_referrers(self._repository, subject, referrers, before=before)


class RegistryUpload:
    """An upload of known size and digest. Fits `copying.ends.Upload`."""

    def __init__(
        self, repository: Repository, session: UploadSession, uploads: OpenUploads, *, resumed: bool = False
    ) -> None:
        self._repository = repository
        self._session = session
        self._uploads = uploads
        self._first_address = session.location
        self._recorded = not resumed

    @property
    def address(self) -> str:
        return self._session.location

    async def send(self, blob: Descriptor, content: bytes) -> None:
        await finish_within(self._send(blob, content), SEND_SECONDS)

    async def append(self, offset: int, body: Body) -> None:
        before = self._session
        try:
            self._session = await self._repository.patch_upload(self._session, offset, body, ended_early=self._moved)
        finally:
            if self._session != before:
                await self._uploads.moved(self._first_address, self._session.location)

    async def received(self) -> int | None:
        await self._take_over()
        found = await self._repository.get_upload(self._session)
        if found is None:
            return None
        self._session, received = found
        return received

    async def commit(self, blob: Descriptor) -> None:
        await self._repository.commit_upload(self._session, blob.digest)
        self._uploads.over(self._first_address)

    async def cancel(self) -> None:
        # If the request fails, the API repeats it when the import has ended.
        with suppress(LongshoreError):
            # The registry may reject the address that it gave before a request broke; `received` asks for the new one.
            await self.received()
            if await self._repository.cancel_upload(self._session):
                self._uploads.over(self._first_address)

    async def _send(self, blob: Descriptor, content: bytes) -> None:
        await self._repository.put_blob(self._session, blob, content)
        self._uploads.over(self._first_address)

    def _moved(self, session: UploadSession) -> None:
        self._session = session

    async def _take_over(self) -> None:
        """Record an upload that another import may have opened as this import's."""
        if not self._recorded:
            self._recorded = True
            await self._uploads.opened(self._first_address)


class RegistryStream:
    """An upload whose size and digest are known at its end. Fits `engine.ends.StreamedUpload`."""

    def __init__(self, repository: Repository, session: UploadSession, uploads: OpenUploads) -> None:
        self._repository = repository
        self._session = session
        self._uploads = uploads
        self._first_address = session.location

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        endable = EndableChunks(chunks)
        await finish_within(self._send(endable), SEND_SECONDS, end=endable.end)
        if endable.error:
            raise endable.error

    async def _send(self, chunks: AsyncIterator[bytes]) -> None:
        self._session = await self._repository.stream_upload(self._session, chunks)
        await self._uploads.moved(self._first_address, self._session.location)

    async def commit(self, digest: Digest) -> None:
        await self._repository.commit_upload(self._session, digest)
        self._uploads.over(self._first_address)

    async def cancel(self) -> None:
        # If the request fails, the API repeats it when the import has ended.
        with suppress(LongshoreError):
            if await self._repository.cancel_upload(self._session):
                self._uploads.over(self._first_address)
