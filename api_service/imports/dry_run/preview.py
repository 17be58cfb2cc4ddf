"""The use case behind POST /images:import with `dryRun`: report what the import would do, and change nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from api_service.auth.identity import Identity
from api_service.images.checks import check_not_being_deleted
from api_service.images.visibility import ContentVisibility
from api_service.imports.decide import Decision, Exists, Join, RequestedContent, Start, decide
from api_service.imports.dry_run.places import PlanPlaces
from api_service.imports.dry_run.report import Content, DryRunReport, ImportPreview, Overwritten, total_size
from api_service.imports.dry_run.target_contents import TargetInspector
from api_service.imports.permission import Grant, ImportPermissions, grant_within_limits
from api_service.imports.request import AnswerState, ImportRequest
from api_service.imports.source.find import FoundSource, PlannableImage, SourceFinder
from api_service.imports.source.target_name import TargetName, TargetNaming
from api_service.imports.target_tag import FoundTag, TargetTags, find_foreign
from api_service.rules.authorize import Facts, ForeignTag
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.planning.budget import PlanLimits
from shared.planning.find_referrers import find_referrers
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.planning.referrers import Referrers
from shared.registry.client import Registry
from shared.target.management import TargetManagement

# How long a caller waits at most. A plan of a few hundred small requests takes two seconds; a longer one means that one
# side is slow. Seconds.
DEADLINE = 10.0

STARTS = "The image would be imported; nothing was done."
REPLACES = "The image would be imported, and the target's tag moved to it; nothing was done."
JOINS = "The image is being imported already; the request would join that import. Nothing was done."


class ImportPreviewer:
    """Makes the plan that a worker would make, and compares it with the contents of the target."""

    def __init__(
        self,
        *,
        database: Database,
        finder: SourceFinder,
        naming: TargetNaming,
        permissions: ImportPermissions,
        target: Registry,
        management: TargetManagement,
        tags: TargetTags,
        inspector: TargetInspector,
        referrers: bool,
        visibility: ContentVisibility,
        limits: PlanLimits,
    ) -> None:
        """`target` and `management` are two interfaces of one registry; `referrers` is the operator's default."""
        self._database = database
        self._finder = finder
        self._naming = naming
        self._permissions = permissions
        self._target = target
        self._management = management
        self._tags = tags
        self._inspector = inspector
        self._referrers = referrers
        self._visibility = visibility
        self._limits = limits
        self._places = PlanPlaces()

    async def preview(self, request: ImportRequest, by: Identity) -> DryRunReport:
        """Report what the import would do.

        Raises the errors with which the import would be refused, those of source and target, and `dry_run_timeout`.
        """
        request = request.with_defaults(referrers=self._referrers)
        named = await self._finder.name(request, by)
        target = self._naming.name(named.reference, request.target)
        granted = await self._permissions.grant_names(by, named.reference, target.repository)
        source = named.for_import(target, by)
        try:
            async with asyncio.timeout(DEADLINE), self._places.take(by.owner):
                return await self._report(request, source, target, granted)
        except TimeoutError:
            raise LongshoreError(
                Code.DRY_RUN_TIMEOUT, f"Source and target did not answer within {DEADLINE:g} seconds."
            ) from None

    async def _report(
        self, request: ImportRequest, source: FoundSource, target: TargetName, granted: Grant
    ) -> DryRunReport:
        by = granted.by
        readable = source.open()
        found = await readable.look_up()
        digest = source.reference.digest or found
        image, decision = await self._decide(RequestedContent.of(request, source, digest), target, by)
        plan = await make_plan(readable, digest, request.platforms, self._limits)
        referrers = Referrers()
        if request.referrers:
            referrers = await find_referrers(readable, plan, self._limits)
        tag = await self._tags.look(target.repository, target.tag)
        if isinstance(decision, Exists) and image and tag.digest != image.digest:
            # The target has lost the image: the import would find that out, too, and start.
            decision = Start()
        facts, overwrites = Facts(force=request.force), None
        if isinstance(decision, Start):
            facts = replace(
                facts, image_bytes=_distinct_size(plan, referrers), foreign_tag=await self._find_foreign(tag, image)
            )
            overwrites = await self._overwrites(Digest.parse(tag.digest), image, by) if tag.digest else None
        grant = await self._grant(granted, facts)
        preview = await self._compare(source, readable, target, plan, referrers, overwrites=overwrites)
        return _report(decision, image, preview, grant)

    async def _find_foreign(self, tag: FoundTag, image: Image | None) -> ForeignTag | None:
        async with self._database.connection() as connection:
            return await find_foreign(connection, tag, image.id if image else None)

    async def _grant(self, granted: Grant, facts: Facts) -> Grant:
        """Return the permission that the import would get at this moment.

        Without `image_bytes`, no import would start, and the caller's usage of the limits does not matter.
        """
        facts = replace(facts, project_exists=await self._permissions.find_project(granted))
        grant = await self._permissions.grant_facts(granted, facts)
        if facts.image_bytes is None:
            return grant
        async with self._database.connection() as connection:
            return await grant_within_limits(connection, grant)

    async def _compare(
        self,
        source: FoundSource,
        readable: PlannableImage,
        target: TargetName,
        plan: ImportPlan,
        referrers: Referrers,
        *,
        overwrites: Overwritten | None,
    ) -> ImportPreview:
        contents = await self._inspector.inspect(
            [*plan.blobs, *referrers.blobs],
            [*plan.manifests, *referrers.manifests],
            self._target.repository(target.repository),
            source=readable,
            source_host=source.reference.registry,
        )
        return ImportPreview(
            source=source.reference,
            host=self._naming.host,
            target=target,
            plan=plan,
            referrers=referrers,
            contents=contents,
            overwrites=overwrites,
            quota=await self._management.project_quota(target.repository),
        )

    async def _overwrites(self, tag: Digest, image: Image | None, by: Identity) -> Overwritten:
        hidden = bool(image and await self._visibility.hidden((image,), by))
        return Overwritten(digest=None if hidden else tag, image=image)

    async def _decide(
        self, requested: RequestedContent, target: TargetName, by: Identity
    ) -> tuple[Image | None, Decision]:
        """Decide as the import would, but without a lock: another import may start before the real request anyway."""
        async with self._database.connection() as connection:
            image = await images.find_image(
                connection, registry_host=self._naming.host, repository=target.repository, tag=target.tag
            )
            if image is None:
                return None, Start()
            await check_not_being_deleted(connection, image.id)
            latest = await imports.latest_import(connection, image.id)
            last_ready = await imports.latest_ready_import(connection, image.id)
        return image, decide(image, latest, last_ready, requested, by)


def _distinct_size(plan: ImportPlan, referrers: Referrers) -> int:
    contents: Sequence[Content] = (*plan.blobs, *referrers.blobs, *plan.manifests, *referrers.manifests)
    return total_size({content.digest: content for content in contents}.values())


def _report(decision: Decision, image: Image | None, preview: ImportPreview, grant: Grant) -> DryRunReport:
    exists = isinstance(decision, Exists)
    return DryRunReport(
        state=AnswerState.EXISTS if exists else AnswerState.STARTED,
        message=_message(decision, preview),
        already_image_id=image.id if image and exists else 0,
        preview=preview,
        allowed_by=grant.allowed_by,
    )


def _message(decision: Decision, preview: ImportPreview) -> str:
    match decision:
        case Exists(message=message):
            return message
        case Join():
            return JOINS
        case Start():
            return " ".join((REPLACES if preview.overwrites else STARTS, *preview.referrers.left_out))
