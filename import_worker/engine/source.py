"""An image on a Docker Engine as the source of an import."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from import_worker.admission import Admission
from import_worker.copying.ends import ProgressBoard
from import_worker.endpoints import AttemptProgress, PreparedImage
from import_worker.engine.compression import Compression
from import_worker.engine.ends import DescribedImage, Engine, StreamTarget
from import_worker.engine.push_layers import LayerPush
from import_worker.engine.pushed_image import PushedImage
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.budget import DEFAULT_LIMITS, PlanLimits
from shared.planning.make_plan import make_plan
from shared.planning.platforms import require_platforms


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image on an engine. Fits `import_worker.endpoints.ImportSource`.

    An export arrives once and in its own order, so the layers are pushed before the image can be planned.
    """

    engine: Engine
    name: str
    target: StreamTarget
    compression: Compression
    limits: PlanLimits = DEFAULT_LIMITS

    async def prepare(
        self, pinned: Digest | None, platforms: Sequence[Platform], admission: Admission, progress: AttemptProgress
    ) -> PreparedImage:
        """Push the image's layers and plan what is left to copy; the pinned digest is the engine's image id."""
        image = await self.describe(pinned, platforms)
        progress.pin(image.id)
        # The engine knows the layers' sizes before compression; the image's own is known after the push.
        self.limits.check_image(sum(image.sizes))
        await admission.prepare(sum(image.sizes))
        pushed = await self.push(image, progress)
        plan = await make_plan(pushed, pushed.manifest.digest, platforms, self.limits)
        await admission.admit_size(plan.size)
        return PreparedImage(
            plan=replace(plan, source_digest=image.id),
            source=pushed,
            board=pushed.board(progress),
            layers_in_target=True,
        )

    async def describe(self, pinned: Digest | None, platforms: Sequence[Platform]) -> DescribedImage:
        """Look the image up; the pinned one by its id, because its name may point to another image since.

        Raises `source_not_found`, `platform_not_available`.
        """
        image = await self.engine.describe(str(pinned) if pinned else self.name)
        require_platforms(image.platforms, platforms)
        return image

    async def push(self, image: DescribedImage, board: ProgressBoard) -> PushedImage:
        """Push the layers to the target, and return the config and the manifest, which are left to copy."""
        pushing = LayerPush(image, self.target, board, self.compression, self.limits)
        async with self.engine.export(image.id) as export:
            return PushedImage.of(image, await pushing.run(export))
