"""One repository of the target registry, as layers of unknown size are written to it."""

from collections.abc import AsyncIterator
from contextlib import suppress

from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession


class RegistryStreamTarget:
    """Fits `engine_image.StreamTarget`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def start_stream(self) -> "RegistryStream":
        return RegistryStream(self._repository, await self._repository.start_upload())


class RegistryStream:
    """Fits `engine_image.StreamedUpload`."""

    def __init__(self, repository: Repository, session: UploadSession) -> None:
        self._repository = repository
        self._session = session

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        self._session = await self._repository.stream_upload(self._session, chunks)

    async def commit(self, digest: Digest) -> None:
        await self._repository.commit_upload(self._session, digest)

    async def cancel(self) -> None:
        # The registry drops abandoned sessions by itself; asking is a courtesy.
        with suppress(LongshoreError):
            await self._repository.cancel_upload(self._session)
