"""A registry as the source of an import."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from shared.model.credential import Credential
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import Reference
from shared.oci.referrer import Attachment
from shared.registry.client import Registries
from shared.registry.download import BlobDownload
from shared.registry.referrers.source_referrers import ReferrerFinder
from shared.registry.repository import Repository


class RegistrySource:
    """One reference in one registry. Fits `planning.source.ReadableImage`, and what a copy needs beyond that."""

    def __init__(self, registries: Registries, reference: Reference, credential: Credential | None) -> None:
        self._reference = reference
        self._repository: Repository = registries.registry(reference.registry, credential).repository(
            reference.repository
        )
        self._referrers = ReferrerFinder(self._repository)

    async def resolve(self) -> Digest:
        """Return the digest that the reference points to; its own, if it has one, without asking."""
        return self._reference.digest or await self.look_up()

    async def look_up(self) -> Digest:
        """Ask for that digest in any case; HEAD, because Docker Hub meters GETs."""
        return (await self._repository.head_manifest(self._wanted)).digest

    async def fetch_root(self) -> Manifest:
        """Return the manifest that the reference points to."""
        return await self._repository.get_manifest(self._wanted)

    async def fetch_manifest(self, digest: Digest) -> Manifest:
        return await self._repository.get_manifest(str(digest))

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._repository.open_blob(blob, offset)

    async def attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return what refers to these manifests. Fits `planning.referrers.ReferrersSource`."""
        return await self._referrers.attachments(subjects)

    def download_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[BlobDownload]:
        return self._repository.download_blob(blob, offset)

    @property
    def _wanted(self) -> str:
        return str(self._reference.digest or self._reference.tag or "latest")
