"""The use case behind POST /images:import: check the source, then write image, import and wake-up in one go."""

from dataclasses import dataclass
from time import monotonic

from api_service.auth.identity import Identity
from api_service.images.checks import check_not_being_deleted
from api_service.images.verify_tag import Presence
from api_service.imports.decide import Exists, Start, Wanted, judge
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.name import new_import_name
from api_service.imports.request import AnswerState, ImportAnswer, ImportRequest
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.resolve import SourceResolver
from api_service.imports.source.target_name import TargetName, TargetNaming
from shared.db import images, imports
from shared.db.images import Image
from shared.db.new_import import NewImage, NewImport
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.sealed_account import seal_account
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
    new: NewImport
    by: Identity
    give_up: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageImporter:
    """Starts imports. `registry_host` is the target's public name; `referrers` holds where a request says nothing."""

    queue: ImportQueue
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
        new = NewImport(
            name=new_import_name(target.repository, target.tag),
            source=wanted.source,
            source_digest=wanted.digest,
            platforms=wanted.platforms,
            credentials=seal_account(self.secrets, source.credential),
            requested_by=by.user,
            with_referrers=wanted.referrers,
        )
        return await self._record(_Plan(request=request, wanted=wanted, target=target, new=new, by=by, give_up=give_up))

    async def _record(self, plan: _Plan) -> ImportAnswer:
        for _ in range(TRIES):
            if answer := await self._start_first(plan):
                return answer
            async with self.queue.transaction() as transaction:
                image = await images.lock_image(
                    transaction.connection,
                    registry_host=self.registry_host,
                    repository=plan.target.repository,
                    tag=plan.target.tag,
                )
                answer = await self._answer(transaction, image, plan) if image else None
            if image and answer and (answer.state is not AnswerState.EXISTS or await self._is_there(image, plan)):
                return answer
        raise LongshoreError(Code.INTERNAL_ERROR, "The image came and went while this request ran; try again.")

    async def _is_there(self, image: Image, plan: _Plan) -> bool:
        return await self.presence.confirm(image, within=max(LEAST_LOOK, plan.give_up - monotonic()))

    async def _start_first(self, plan: _Plan) -> ImportAnswer | None:
        """Begin with an image that is not there yet; None where it is, once a request that creates it is through."""
        image = NewImage(
            registry_host=self.registry_host,
            repository=plan.target.repository,
            tag=plan.target.tag,
            description=plan.request.description or "",
        )
        image_id = await self.queue.add_first(image, plan.new)
        return _started(image_id, plan.new.name) if image_id is not None else None

    async def _answer(self, transaction: QueueTransaction, image: Image, plan: _Plan) -> ImportAnswer:
        connection = transaction.connection
        await check_not_being_deleted(connection, image.id)
        latest = await imports.latest_import(connection, image.id)
        last_ready = await imports.latest_ready_import(connection, image.id)
        verdict = judge(image, latest, last_ready, plan.wanted, plan.by)
        if isinstance(verdict, Start):
            await images.mark_importing(
                connection, image.id, source=plan.wanted.source, description=plan.request.description
            )
            await transaction.add(image.id, plan.new, WakeUpReason.REQUESTED)
            return _started(image.id, plan.new.name)
        state = AnswerState.EXISTS if isinstance(verdict, Exists) else AnswerState.STARTED
        name = latest.name if latest else ""
        return ImportAnswer(state=state, message=verdict.message, image_id=image.id, name=name)


def _started(image_id: int, name: str) -> ImportAnswer:
    return ImportAnswer(state=AnswerState.STARTED, message=STARTED, image_id=image_id, name=name)
