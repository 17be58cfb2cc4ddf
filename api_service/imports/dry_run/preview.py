"""POST /images:import with `dryRun`: says what the import would do, and does nothing of it."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias

from api_service.auth.identity import Identity
from api_service.images.checks import check_not_being_deleted
from api_service.imports.decide import Exists, Join, Start, Wanted, judge
from api_service.imports.dry_run.report import ImportPreview, Overwritten
from api_service.imports.dry_run.target_contents import StockTaker
from api_service.imports.request import AnswerState, ImportRequest
from api_service.imports.source.docker import refuse_dry_run
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.target_name import TargetName, TargetNaming
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.oci.engine_image import EngineImage
from shared.oci.reference import Reference
from shared.planning.find_referrers import find_referrers
from shared.planning.make_plan import make_plan
from shared.planning.referrers import Referrers
from shared.registry.client import Registries, Registry
from shared.registry.source import RegistrySource
from shared.target.management import TargetManagement

# What a caller waits at most. A plan of a few hundred small requests takes two; longer says that one side is slow.
# Seconds.
DEADLINE = 10.0
# Plans made at a time by one process; others wait within their deadline. Each holds its manifests in memory.
PLANS_AT_ONCE = 4

STARTS = "The image would be imported; nothing was done."
REPLACES = "The image would be imported, and the target's tag moved to it; nothing was done."
JOINS = "The image is being imported already; the request would join that import. Nothing was done."

Verdict: TypeAlias = Start | Join | Exists


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a plan is made between: source registries, the target's content, and what manages it."""

    sources: Registries
    target: Registry
    management: TargetManagement


class DryRun:
    """Makes the worker's plan, and sets it beside what the target has."""

    def __init__(
        self,
        database: Database,
        finder: SourceFinder,
        naming: TargetNaming,
        ends: Ends,
        stock: StockTaker,
        *,
        referrers: bool,
        deadline: float = DEADLINE,
    ) -> None:
        """Take what a plan is made of; `referrers` holds where a request does not say whether they come along."""
        self._database = database
        self._finder = finder
        self._naming = naming
        self._ends = ends
        self._stock = stock
        self._referrers = referrers
        self._deadline = deadline
        self._slots = asyncio.Semaphore(PLANS_AT_ONCE)

    async def preview(self, request: ImportRequest, by: Identity) -> dict[str, Any]:
        """Return the answer's body.

        Raises what the import would be refused for, whatever source and target raise, and `dry_run_timeout`.
        """
        request = request.settled(referrers=self._referrers)
        source = await self._finder.find(request, by)
        if isinstance(source.reference, EngineImage):
            raise refuse_dry_run()
        target = self._naming.name(source.reference, request.target)
        try:
            async with asyncio.timeout(self._deadline), self._slots:
                return await self._preview(request, source.reference, source.credential, target, by)
        except TimeoutError:
            raise LongshoreError(
                Code.DRY_RUN_TIMEOUT, f"Source and target did not tell enough within {self._deadline:g} seconds."
            ) from None

    async def _preview(
        self,
        request: ImportRequest,
        source: Reference,
        credential: Credential | None,
        target: TargetName,
        by: Identity,
    ) -> dict[str, Any]:
        image_source = RegistrySource(self._ends.sources, source, credential)
        found = await image_source.look_up()
        digest = source.digest or found
        image, verdict = await self._judge(Wanted.of(request, source, digest), target, by)
        plan = await make_plan(image_source, digest, request.platforms)
        referrers = await find_referrers(image_source, plan) if request.referrers else Referrers()
        tag = await self._ends.management.find_tag(target.repository, target.tag)
        if isinstance(verdict, Exists) and image and str(tag) != image.digest:
            # As the import would find out: the target has lost it.
            verdict = Start()
        blobs, manifests = [*plan.blobs, *referrers.blobs], [*plan.manifests, *referrers.manifests]
        stock = await self._stock.take(blobs, manifests, self._ends.target.repository(target.repository))
        replaced = Overwritten(digest=tag, image=image) if tag and isinstance(verdict, Start) else None
        preview = ImportPreview(
            source=source,
            host=self._naming.host,
            target=target,
            plan=plan,
            referrers=referrers,
            stock=stock,
            overwrites=replaced,
            room=await self._ends.management.project_quota(target.repository),
        )
        return _answer(verdict, image, preview)

    async def _judge(self, wanted: Wanted, target: TargetName, by: Identity) -> tuple[Image | None, Verdict]:
        """Decide as the import would, without a lock: by the time of a real one things may have changed anyway."""
        async with self._database.connection() as connection:
            image = await images.find_image(
                connection, registry_host=self._naming.host, repository=target.repository, tag=target.tag
            )
            if image is None:
                return None, Start()
            await check_not_being_deleted(connection, image.id)
            latest = await imports.latest_import(connection, image.id)
            last_ready = await imports.latest_ready_import(connection, image.id)
        return image, judge(image, latest, last_ready, wanted, by)


def _answer(verdict: Verdict, image: Image | None, preview: ImportPreview) -> dict[str, Any]:
    exists = isinstance(verdict, Exists)
    return {
        "state": int(AnswerState.EXISTS if exists else AnswerState.STARTED),
        "message": _message(verdict, preview),
        "alreadyImageId": image.id if image and exists else 0,
        "dryRun": True,
        "plan": preview.to_json(),
    }


def _message(verdict: Verdict, preview: ImportPreview) -> str:
    match verdict:
        case Exists(message=message):
            return message
        case Join():
            return JOINS
        case Start():
            return " ".join((REPLACES if preview.overwrites else STARTS, *preview.referrers.left_out))
