"""The use case behind POST /images:import: check the source, then write image, import and wake-up in one go."""

from dataclasses import dataclass

from api_service.being_deleted import check_not_being_deleted
from api_service.existing_image import Exists, Start, Wanted, judge
from api_service.find_source import SourceFinder
from api_service.identity import Identity
from api_service.import_request import AnswerState, ImportAnswer, ImportRequest
from api_service.queue_import import NewImport, queue_import
from api_service.resolve_source import SourceResolver
from api_service.target_name import TargetName, TargetNaming
from shared.db import images, imports
from shared.db.database import Connection, Database
from shared.db.images import Image
from shared.errors import LongshoreError
from shared.registry.credential import Credential
from shared.secret_box import SecretBox

# An image that is deleted between two of our statements sends us back to the start; more than once is no accident.
TRIES = 3

STARTED = "Image import started"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The request, with everything found out about it before the database is touched."""

    request: ImportRequest
    wanted: Wanted
    target: TargetName
    credential: Credential | None
    by: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageImporter:
    """Starts imports. `registry_host` is the target's public name."""

    database: Database
    finder: SourceFinder
    resolver: SourceResolver
    naming: TargetNaming
    registry_host: str
    secrets: SecretBox

    async def start(self, request: ImportRequest, by: Identity) -> ImportAnswer:
        """Start the import, join the one that is under way, or say that the image is there already."""
        source = await self.finder.find(request, by)
        target = self.naming.name(source.reference, request.target)
        digest = await self.resolver.resolve(source.reference, source.credential, request.platforms)
        wanted = Wanted.of(request, source.reference, digest)
        plan = _Plan(request=request, wanted=wanted, target=target, credential=source.credential, by=by)
        return await self._record(plan)

    async def _record(self, plan: _Plan) -> ImportAnswer:
        for _ in range(TRIES):
            async with self.database.transaction() as connection:
                image = await self._lock(connection, plan)
                if image is None and (image_id := await self._insert(connection, plan)):
                    return await self._start(connection, image_id, plan)
                if image := image or await self._lock(connection, plan):
                    return await self._answer(connection, image, plan)
        raise LongshoreError("internal_error", "The image was created and deleted while this request ran; try again.")

    async def _lock(self, connection: Connection, plan: _Plan) -> Image | None:
        return await images.lock_image(
            connection, registry_host=self.registry_host, repository=plan.target.repository, tag=plan.target.tag
        )

    async def _insert(self, connection: Connection, plan: _Plan) -> int | None:
        """Return the new image's id; None where another request was faster, once that one is through."""
        return await images.insert_image(
            connection,
            registry_host=self.registry_host,
            repository=plan.target.repository,
            tag=plan.target.tag,
            description=plan.request.description or "",
            source=plan.wanted.source,
            user=plan.by.user,
        )

    async def _answer(self, connection: Connection, image: Image, plan: _Plan) -> ImportAnswer:
        await check_not_being_deleted(connection, image.id)
        latest = await imports.latest_import(connection, image.id)
        last_ready = await imports.latest_ready_import(connection, image.id)
        verdict = judge(image, latest, last_ready, plan.wanted, plan.by)
        if isinstance(verdict, Start):
            await images.mark_importing(
                connection, image.id, source=plan.wanted.source, description=plan.request.description
            )
            return await self._start(connection, image.id, plan)
        state = AnswerState.EXISTS if isinstance(verdict, Exists) else AnswerState.STARTED
        name = latest.name if latest else ""
        return ImportAnswer(state=state, message=verdict.message, image_id=image.id, name=name)

    async def _start(self, connection: Connection, image_id: int, plan: _Plan) -> ImportAnswer:
        new = NewImport(
            image_id=image_id,
            repository=plan.target.repository,
            tag=plan.target.tag,
            source=plan.wanted.source,
            digest=plan.wanted.digest,
            platforms=plan.wanted.platforms,
            credential=plan.credential,
            user=plan.by.user,
        )
        name = await queue_import(connection, self.secrets, new, "requested")
        return ImportAnswer(state=AnswerState.STARTED, message=STARTED, image_id=image_id, name=name)
