"""One repository of the target registry, as the copy and the Docker Engine's push write to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from shared.errors.error import LongshoreError
from shared.http_client.body import Body
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.referrers.link import link_referrers
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession


class RegistryTarget:
    """Fits `copying.referrers.ReferrersTarget` and `engine.ends.StreamTarget`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def is_empty(self) -> bool:
        return await self._repository.is_empty()

    async def has_blob(self, blob: Descriptor) -> bool:
        return await self._repository.has_blob(blob)

    async def mount_blob(self, blob: Descriptor, from_repository: str) -> "RegistryUpload | None":
        session = await self._repository.mount_blob(blob, from_repository)
        return RegistryUpload(self._repository, session) if session else None

    async def start_upload(self) -> "RegistryUpload":
        return RegistryUpload(self._repository, await self._repository.start_upload())

    def resume_upload(self, address: str) -> "RegistryUpload | None":
        session = self._repository.restore_session(address)
        return RegistryUpload(self._repository, session) if session else None

    async def start_stream(self) -> "RegistryStream":
        return RegistryStream(self._repository, await self._repository.start_upload())

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
    ) -> None:
        await link_referrers(self._repository, subject, referrers, before=before)


class RegistryUpload:
    """An upload of known size and digest. Fits `copying.ends.Upload`."""

    def __init__(self, repository: Repository, session: UploadSession) -> None:
        self._repository = repository
        self._session = session

    @property
    def address(self) -> str:
        return self._session.location

    async def send(self, blob: Descriptor, content: bytes) -> None:
        await self._repository.put_blob(self._session, blob, content)

    async def append(self, offset: int, body: Body) -> None:
        self._session = await self._repository.patch_upload(self._session, offset, body)

    async def received(self) -> int | None:
        found = await self._repository.get_upload(self._session)
        if found is None:
            return None
        self._session, received = found
        return received

    async def commit(self, blob: Descriptor) -> None:
        await self._repository.commit_upload(self._session, blob.digest)

    async def cancel(self) -> None:
        # The registry expires abandoned sessions by itself; the request is a courtesy.
        with suppress(LongshoreError):
            # The registry may reject the address that it gave before a request broke; `received` asks for the new one.
            if await self.received() is not None:
                await self._repository.cancel_upload(self._session)


class RegistryStream:
    """An upload whose size and digest are known at its end. Fits `engine.ends.StreamedUpload`."""

    def __init__(self, repository: Repository, session: UploadSession) -> None:
        self._repository = repository
        self._session = session

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        self._session = await self._repository.stream_upload(self._session, chunks)

    async def commit(self, digest: Digest) -> None:
        await self._repository.commit_upload(self._session, digest)

    async def cancel(self) -> None:
        # The registry expires abandoned sessions by itself; the request is a courtesy.
        with suppress(LongshoreError):
            await self._repository.cancel_upload(self._session)
