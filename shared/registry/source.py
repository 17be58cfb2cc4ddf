"""A registry as the source of an import."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from shared.model.credential import Credential
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from shared.oci.reference import Reference
from shared.oci.referrer import Attachment
from shared.registry.client import Registries
from shared.registry.download import BlobDownload
from shared.registry.referrers.attachments import AttachmentFinder
from shared.registry.repository import Repository


class RegistrySource:
    """One reference in one registry. Implements `planning.source.ReadableImage` and `copying`'s `Source`."""

    def __init__(self, registries: Registries, reference: Reference, credential: Credential | None) -> None:
        self._reference = reference
        self._repository: Repository = registries.registry(reference.registry, credential).repository(
            reference.repository
        )
        self._attachments = AttachmentFinder(self._repository)

    async def resolve(self) -> Digest:
        """Return the digest that the reference points to; its own digest, if it has one, without a request."""
        return self._reference.digest or await self.look_up()

    async def look_up(self) -> Digest:
        """Return the digest that the registry reports; by HEAD, because Docker Hub meters GETs."""
        return (await self._repository.head_manifest(self._wanted)).digest

    async def fetch_root(self) -> Manifest:
        """Return the manifest that the reference points to."""
        return await self._repository.get_manifest(self._wanted)

    async def fetch_manifest(self, digest: Digest, limit: int = MAX_MANIFEST_SIZE) -> Manifest:
        return await self._repository.get_manifest(str(digest), limit=limit)

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._repository.open_blob(blob, offset)

    async def attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return the attachments of these manifests. Implements `planning.referrers.ReferrersSource`."""
        return await self._attachments.find(subjects)

    def download_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[BlobDownload]:
        return self._repository.download_blob(blob, offset)

    async def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the registry confirms to this account that the repository has the blob with this size."""
        return await self._repository.confirms_blob(blob)

    @property
    def _wanted(self) -> str:
        return str(self._reference.digest or self._reference.tag or "latest")
