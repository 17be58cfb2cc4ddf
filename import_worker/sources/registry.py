"""A registry as the source of an import."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.reference import Reference
from shared.registry.client import Registries
from shared.registry.credential import Credential
from shared.registry.repository import Repository


class RegistrySource:
    """One reference in one registry. Fits `endpoints.Source`."""

    def __init__(self, registries: Registries, reference: Reference, credential: Credential | None) -> None:
        self._reference = reference
        self._repository: Repository = registries.registry(reference.registry, credential).repository(
            reference.repository
        )

    async def resolve(self) -> Digest:
        if self._reference.digest:
            return self._reference.digest
        return (await self._repository.head_manifest(self._reference.tag or "latest")).digest

    async def fetch_manifest(self, digest: Digest) -> Manifest:
        return await self._repository.get_manifest(str(digest))

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._repository.open_blob(blob, offset)
