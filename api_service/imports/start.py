"""The use case behind POST /images:import: check the source, then write image, import and wake-up in one go."""

from dataclasses import dataclass
from time import monotonic

from api_service.auth.identity import Identity
from api_service.images.verify_tag import Presence
from api_service.imports.being_deleted import check_not_being_deleted
from api_service.imports.decide import Exists, Start, Wanted, judge
from api_service.imports.enqueue import NewImport, queue_first_import, queue_import
from api_service.imports.request import AnswerState, ImportAnswer, ImportRequest
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.resolve import SourceResolver
from api_service.imports.source.target_name import TargetName, TargetNaming
from shared.db import images, imports
from shared.db.database import Connection, Database
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.runtime.secret_box import SecretBox

# An image that is deleted between two of our statements, or that the target has lost, sends us back to the start; more
# than once is no accident.
TRIES = 3

# What a request has for source and target together, and what is left for a look at the target where the source took
# long. Seconds; it answers within five, whatever either does.
PATIENCE = 4.5
LEAST_LOOK = 0.5

STARTED = "Image import started"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The request, with everything found out about it before the database is touched; `give_up` is a monotonic time."""

    request: ImportRequest
    wanted: Wanted
    target: TargetName
    credential: Credential | None
    by: Identity
    give_up: float

    @property
    def new(self) -> NewImport:
        """The import that is started where one is."""
        return NewImport(
            repository=self.target.repository,
            tag=self.target.tag,
            source=self.wanted.source,
            digest=self.wanted.digest,
            platforms=self.wanted.platforms,
            credential=self.credential,
            user=self.by.user,
            with_referrers=self.wanted.referrers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageImporter:
    """Starts imports. `registry_host` is the target's public name; `referrers` holds where a request says nothing."""

    database: Database
    finder: SourceFinder
    resolver: SourceResolver
    naming: TargetNaming
    registry_host: str
    secrets: SecretBox
    referrers: bool
    presence: Presence

    async def start(self, request: ImportRequest, by: Identity) -> ImportAnswer:
        """Start the import, join the one that is under way, or say that the image is there already."""
        give_up = monotonic() + PATIENCE
        request = request.settled(referrers=self.referrers)
        source = await self.finder.find(request, by)
        target = self.naming.name(source.reference, request.target)
        digest = await self.resolver.resolve(source.reference, source.credential, request.platforms)
        wanted = Wanted.of(request, source.reference, digest)
        return await self._record(
            _Plan(request=request, wanted=wanted, target=target, credential=source.credential, by=by, give_up=give_up)
        )

    async def _record(self, plan: _Plan) -> ImportAnswer:
        for _ in range(TRIES):
            if answer := await self._start_first(plan):
                return answer
            async with self.database.transaction() as connection:
                image = await images.lock_image(
                    connection, registry_host=self.registry_host, repository=plan.target.repository, tag=plan.target.tag
                )
                answer = await self._answer(connection, image, plan) if image else None
            if image and answer and (answer.state is not AnswerState.EXISTS or await self._is_there(image, plan)):
                return answer
        raise LongshoreError(Code.INTERNAL_ERROR, "The image came and went while this request ran; try again.")

    async def _is_there(self, image: Image, plan: _Plan) -> bool:
        return await self.presence.confirm(image, within=max(LEAST_LOOK, plan.give_up - monotonic()))

    async def _start_first(self, plan: _Plan) -> ImportAnswer | None:
        """Begin with an image that is not there yet; None where it is, once a request that creates it is through."""
        description = plan.request.description or ""
        async with self.database.connection() as connection:
            started = await queue_first_import(
                connection, self.secrets, plan.new, registry_host=self.registry_host, description=description
            )
        return _started(*started) if started else None

    async def _answer(self, connection: Connection, image: Image, plan: _Plan) -> ImportAnswer:
        await check_not_being_deleted(connection, image.id)
        latest = await imports.latest_import(connection, image.id)
        last_ready = await imports.latest_ready_import(connection, image.id)
        verdict = judge(image, latest, last_ready, plan.wanted, plan.by)
        if isinstance(verdict, Start):
            await images.mark_importing(
                connection, image.id, source=plan.wanted.source, description=plan.request.description
            )
            return _started(image.id, await queue_import(connection, self.secrets, image.id, plan.new, "requested"))
        state = AnswerState.EXISTS if isinstance(verdict, Exists) else AnswerState.STARTED
        name = latest.name if latest else ""
        return ImportAnswer(state=state, message=verdict.message, image_id=image.id, name=name)


def _started(image_id: int, name: str) -> ImportAnswer:
    return ImportAnswer(state=AnswerState.STARTED, message=STARTED, image_id=image_id, name=name)
