"""Looks a source up while its caller waits, so that a typo or missing credentials are answered at once."""

import asyncio
import json
from collections.abc import Sequence

from shared.errors import LongshoreError
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest, missing_platforms, platforms_of
from shared.oci.platform import Platform
from shared.oci.reference import Reference
from shared.registry.client import Registries
from shared.registry.credential import Credential
from shared.registry.repository import Repository

# What the caller waits for the source at most; the answer follows within five seconds. Seconds.
DEADLINE = 4.0
# An image's config is a few kilobytes; more is left to the worker. Bytes.
MAX_CONFIG_SIZE = 1024 * 1024
# The source is there but slow, busy or briefly broken: the import may start, and its worker looks again.
_LEFT_TO_THE_WORKER = frozenset({"source_stalled", "source_unavailable", "source_rate_limited"})


class SourceResolver:
    """Asks source registries what a reference points to."""

    def __init__(self, registries: Registries, *, deadline: float = DEADLINE) -> None:
        self._registries = registries
        self._deadline = deadline

    async def resolve(
        self, source: Reference, credentials: Credential | None, platforms: Sequence[Platform]
    ) -> Digest | None:
        """Return the digest that the reference points to, None where the source does not tell in time.

        Raises what is wrong with the source for good: `source_*`, `manifest_unsupported`, `platform_not_available`.
        """
        repository = self._registries.registry(source.registry, credentials).repository(source.repository)
        try:
            async with asyncio.timeout(self._deadline):
                return await _resolve(repository, source, platforms)
        except TimeoutError:
            return source.digest
        except LongshoreError as error:
            if error.code in _LEFT_TO_THE_WORKER:
                return source.digest
            raise


async def _resolve(repository: Repository, source: Reference, platforms: Sequence[Platform]) -> Digest:
    wanted = str(source.digest or source.tag)
    if not platforms:
        # HEAD, because Docker Hub meters GETs.
        return (await repository.head_manifest(wanted)).digest
    manifest = await repository.get_manifest(wanted)
    available = await _available_platforms(repository, manifest)
    if available is not None:
        _check(available, platforms)
    return source.digest or manifest.digest


def _check(available: Sequence[Platform], platforms: Sequence[Platform]) -> None:
    missing = missing_platforms(available, platforms)
    if missing:
        offered = ", ".join(map(str, available)) or "no platform"
        raise LongshoreError(
            "platform_not_available",
            f"The image does not exist for {', '.join(map(str, missing))}; it offers {offered}.",
            fields={"platforms": f"available: {offered}"},
        )


async def _available_platforms(repository: Repository, manifest: Manifest) -> Sequence[Platform] | None:
    """Return what the image offers; None where telling takes more than a look."""
    if manifest.is_index:
        nested = any(child.media_type in media_types.INDEXES for child in manifest.manifests)
        return None if nested else platforms_of(manifest)
    config = manifest.config
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS:
        return ()
    if config.size > MAX_CONFIG_SIZE:
        return None
    return _platform_of_config(config, await _read_config(repository, config))


async def _read_config(repository: Repository, config: Descriptor) -> bytes:
    async with repository.open_blob(config) as chunks:
        return b"".join([chunk async for chunk in chunks])


def _platform_of_config(config: Descriptor, content: bytes) -> Sequence[Platform] | None:
    if not config.digest.matches(content):
        raise LongshoreError("blob_digest_mismatch", f"The image's config does not have its digest {config.digest}.")
    try:
        document = json.loads(content)
        return (Platform(document["os"], document["architecture"], document.get("variant") or ""),)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LongshoreError("manifest_unsupported", "The image's config does not say its platform.") from None
