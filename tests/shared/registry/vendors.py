"""A source and a target that behave like registries of known vendors (docs/registries.md)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from import_worker.adapters.registry_target import RegistryTarget
from shared.errors.codes import Side
from shared.registry.source import RegistrySource
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, move, source_at, target_at
from tests.shared.traps import CREDENTIAL

SMALL, LARGE = noise(10_000, 41), noise(6_000_000, 42)
SIZES = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(described(b"{}").digest), "size": 2},
        "layers": [],
    }
).encode()
BLOBS, MANIFESTS, UPLOADS = ".*/blobs/sha256.*", ".*/manifests/.*", ".*/blobs/uploads/.+"
SIGNATURE = "X-Amz-Signature=a%2Fb%3D"
BASIC = {"WWW-Authenticate": 'Basic realm="registry"'}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A source and a target, each of which can behave like a vendor's."""

    source: ScriptedRegistry
    target: ScriptedRegistry
    storage: ScriptedRegistry
    reader: RegistrySource
    writer: RegistryTarget

    async def move(self, content: bytes) -> None:
        """Copy a blob, and check that it has arrived."""
        await move(described(content), self.reader, self.writer)
        assert self.target.blob(REPOSITORY, str(described(content).digest)) == content


@asynccontextmanager
async def opened_pair(opened: Opener) -> AsyncIterator[Pair]:
    async with ScriptedRegistry() as source, ScriptedRegistry() as target, ScriptedRegistry() as storage:
        for content in (SMALL, LARGE):
            source.add_blob(REPOSITORY, content)
            storage.add_blob(REPOSITORY, content)
        source.add_manifest(REPOSITORY, "1", MANIFEST, OCI_MANIFEST)
        reading = await opened.loopback(source.host, storage.host)
        writing = await opened.loopback(target.host, side=Side.TARGET)
        yield Pair(
            source=source,
            target=target,
            storage=storage,
            reader=source_at(reading, source.host, CREDENTIAL),
            writer=target_at(writing, target.host, CREDENTIAL),
        )
