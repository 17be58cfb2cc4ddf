"""Looks a source up while its caller waits, so that a typo or missing credentials are answered at once."""

import asyncio
from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.oci.digest import Digest
from shared.oci.engine_image import EngineImage, ImageSource
from shared.oci.platform import Platform
from shared.planning.platforms import glimpse_platforms, require_platforms
from shared.registry.client import Registries
from shared.registry.source import RegistrySource

# What the caller waits for the source at most; the answer follows within five seconds. Seconds.
DEADLINE = 4.0
# The source is there but slow, busy or briefly broken: the import may start, and its worker looks again.
_LEFT_TO_THE_WORKER = frozenset({Code.SOURCE_STALLED, Code.SOURCE_UNAVAILABLE, Code.SOURCE_RATE_LIMITED})


class SourceResolver:
    """Asks source registries what a reference points to."""

    def __init__(self, registries: Registries, *, deadline: float = DEADLINE) -> None:
        self._registries = registries
        self._deadline = deadline

    async def resolve(
        self, reference: ImageSource, credential: Credential | None, platforms: Sequence[Platform]
    ) -> Digest | None:
        """Return the digest that the reference points to, None where the source does not tell in time.

        An engine is a worker's to ask. Raises what is wrong with the source for good: `source_*`,
        `manifest_unsupported`, `platform_not_available`.
        """
        if isinstance(reference, EngineImage):
            return None
        source = RegistrySource(self._registries, reference, credential)
        try:
            async with asyncio.timeout(self._deadline):
                found = await _resolve(source, platforms)
        except TimeoutError:
            return reference.digest
        except LongshoreError as error:
            if error.code in _LEFT_TO_THE_WORKER:
                return reference.digest
            raise
        return reference.digest or found


async def _resolve(source: RegistrySource, platforms: Sequence[Platform]) -> Digest:
    if not platforms:
        return await source.look_up()
    root = await source.fetch_root()
    available = await glimpse_platforms(source, root)
    if available is not None:
        require_platforms(available, platforms)
    return root.digest
