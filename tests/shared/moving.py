"""Copies a blob from one registry to another, as a worker does."""

from import_worker.adapters.registry_target import RegistryTarget
from import_worker.copying.transfer import BlobTransfer
from shared.model.credential import Credential
from shared.oci.descriptor import Descriptor
from shared.oci.reference import Reference
from shared.registry.client import Registries
from shared.registry.source import RegistrySource

REPOSITORY = "team/app"


def source_at(registries: Registries, host: str, credential: Credential | None = None) -> RegistrySource:
    """Return the repository as a source."""
    return RegistrySource(registries, Reference.parse(f"{host}/{REPOSITORY}:1"), credential)


def target_at(registries: Registries, host: str, credential: Credential | None = None) -> RegistryTarget:
    """Return the repository as a target."""
    return RegistryTarget(registries.registry(host, credential).repository(REPOSITORY))


async def move(blob: Descriptor, source: RegistrySource, target: RegistryTarget) -> None:
    """Copy a blob that the target lacks."""

    async def upload_started(_: str) -> None:
        """No other worker continues the upload."""

    await BlobTransfer(blob, source, target, upload_started=upload_started, advance=lambda _: None).run()
