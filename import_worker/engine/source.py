"""An image on a Docker Engine as the source of an import."""

from collections.abc import Sequence
from dataclasses import dataclass

from import_worker.copying.image import ProgressBoard
from import_worker.engine.compression import Compression
from import_worker.engine.image import DescribedImage, Engine, StreamTarget
from import_worker.engine.push_layers import LayerPush
from import_worker.engine.pushed_image import PushedImage
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.platforms import require_platforms


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSource:
    """An export comes once and in its own order, so the layers are pushed before there is anything to plan."""

    engine: Engine
    name: str
    target: StreamTarget
    compression: Compression

    async def describe(self, pinned: Digest | None, wanted: Sequence[Platform]) -> DescribedImage:
        """Look the image up: the pinned one by its id, whatever its name means by now.

        Raises `source_not_found`, `platform_not_available`.
        """
        image = await self.engine.describe(str(pinned) if pinned else self.name)
        require_platforms(image.platforms, wanted)
        return image

    async def push(self, image: DescribedImage, board: ProgressBoard) -> PushedImage:
        """Bring the layers into the target, and return what is left to be copied."""
        pushing = LayerPush(image, self.target, board, self.compression)
        async with self.engine.export(image.id) as export:
            return PushedImage.of(image, await pushing.run(export))
