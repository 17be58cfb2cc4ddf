"""The use case behind POST /images:import: resolve the source, then add image, import and wake-up together."""

from dataclasses import dataclass, replace
from time import monotonic

from api_service.auth.identity import Identity
from api_service.images.checks import check_not_being_deleted
from api_service.images.verify_tag import TagVerifier
from api_service.imports.decide import Exists, RequestedContent, Start, decide
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.name import new_import_name
from api_service.imports.permission import (
    Grant,
    ImportPermissions,
    grant_with_tag,
    grant_within_limits,
    hold_limits,
)
from api_service.imports.request import AnswerState, ImportAnswer, ImportRequest
from api_service.imports.source.find import FoundSource, SourceFinder
from api_service.imports.source.target_name import TargetName, TargetNaming
from api_service.imports.target_tag import FoundTag, TargetTags, find_foreign
from api_service.rules.authorize import Facts
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.db.new_import import NewImage, NewImport
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import NO_TAG
from shared.model.sealed_account import seal_account
from shared.runtime.concurrency import both
from shared.runtime.secret_box import SecretBox

# The use case starts over if the image is deleted between two of its statements, or if the target has lost the image.
# Neither should happen three times in a row.
TRIES = 3

# The time for source and target together, and the minimum for the check of the target after a slow source. The API
# answers within five seconds. Seconds.
DEADLINE = 4.5
MIN_CHECK_TIME = 0.5

STARTED = "Image import started"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResolvedRequest:
    """A request with everything that is known before the database is written; `deadline` is a monotonic time.

    `tag` is the target's tag; None if the target did not answer.
    """

    request: ImportRequest
    content: RequestedContent
    target: TargetName
    new: NewImport
    grant: Grant
    tag: FoundTag | None
    deadline: float

    @property
    def tag_exists(self) -> bool:
        return self.tag is not None and self.tag.digest != NO_TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStarter:
    """Starts imports.

    `registry_host` is the target's public name; `referrers` is the operator's default for requests without the field.
    """

    database: Database
    queue: ImportQueue
    finder: SourceFinder
    naming: TargetNaming
    permissions: ImportPermissions
    registry_host: str
    secrets: SecretBox
    referrers: bool
    verifier: TagVerifier
    tags: TargetTags

    async def start(self, request: ImportRequest, by: Identity) -> ImportAnswer:
        """Start the import, join the import under way, or answer that the target has the image.

        Raises the errors of a request that cannot be accepted, of the source and of the target; `import_conflict`,
        `target_tag_foreign`, `import_limit_reached`, `forbidden`, `credentials_unreadable` and `image_being_deleted`.
        """
        deadline = monotonic() + DEADLINE
        request = request.with_defaults(referrers=self.referrers)
        named = await self.finder.name(request, by)
        target = self.naming.name(named.reference, request.target)
        granted = await self.permissions.grant_names(by, named.reference, target.repository)
        source = named.for_import(target, by)
        digest, (project_exists, tag) = await both(
            source.resolve(request.platforms), self._look_at_target(target, granted)
        )
        facts = Facts(force=request.force, project_exists=project_exists)
        grant = await self.permissions.grant_facts(granted, facts)
        content = RequestedContent.of(request, source, digest)
        new = replace(self._new_import(content, target, source, grant), tag_before=tag.digest if tag else None)
        return await self._record(
            _ResolvedRequest(
                request=request, content=content, target=target, new=new, grant=grant, tag=tag, deadline=deadline
            )
        )

    async def _look_at_target(self, target: TargetName, grant: Grant) -> tuple[bool | None, FoundTag | None]:
        """Return whether the project exists, if that matters, and the tag."""
        find_tag = self.tags.find(target.repository, target.tag)
        if not grant.needs_project:
            return None, await find_tag
        return await both(self.permissions.find_project(grant), find_tag)

    def _new_import(
        self, content: RequestedContent, target: TargetName, source: FoundSource, grant: Grant
    ) -> NewImport:
        return NewImport(
            name=new_import_name(target.repository, target.tag),
            source=content.source,
            source_digest=content.digest,
            platforms=content.platforms,
            credentials=seal_account(self.secrets, source.credential, host=source.reference.registry),
            requester=grant.by.requester,
            rule_id=grant.rule_id,
            weight=grant.weight,
            force=content.force,
            with_referrers=content.referrers,
        )

    async def _record(self, resolved: _ResolvedRequest) -> ImportAnswer:
        target = resolved.target
        for _ in range(TRIES):
            if answer := await self._start_first(resolved):
                return answer
            async with self.database.connection() as connection:
                resolved = replace(resolved, grant=await self.permissions.look_at_open(connection, resolved.grant))
            turn = self.permissions.turn(resolved.grant, may_change=resolved.tag_exists)
            async with turn, self.queue.transaction() as transaction:
                await hold_limits(transaction.connection, resolved.grant, may_change=resolved.tag_exists)
                image = await images.lock_image(
                    transaction.connection,
                    registry_host=self.registry_host,
                    repository=target.repository,
                    tag=target.tag,
                )
                if image:
                    answer = await self._answer(transaction, image, resolved)
                else:
                    answer = await self._start_first_checked(transaction, resolved)
            if answer and (answer.state is not AnswerState.EXISTS or await self._is_served(image, resolved)):
                return answer
        raise LongshoreError(Code.INTERNAL_ERROR, "The image came and went while this request ran; try again.")

    async def _is_served(self, image: Image | None, resolved: _ResolvedRequest) -> bool:
        if image is None:
            return False
        if resolved.tag and resolved.tag.digest == image.digest:
            return True
        return await self.verifier.verify(image, within=max(MIN_CHECK_TIME, resolved.deadline - monotonic()))

    async def _start_first(self, resolved: _ResolvedRequest) -> ImportAnswer | None:
        """Start the import of a new image in one statement.

        Returns None if the image exists, or if a limit or the target's tag has to be checked in a transaction.
        """
        most_open = resolved.grant.max_uncounted
        if resolved.grant.is_limited or resolved.tag_exists or most_open <= 0:
            return None
        image_id = await self.queue.add_first(self._new_image(resolved), resolved.new, most_open=most_open)
        return _started(image_id, resolved.new.name) if image_id is not None else None

    async def _start_first_checked(
        self, transaction: QueueTransaction, resolved: _ResolvedRequest
    ) -> ImportAnswer | None:
        """Start the import of a new image after these checks; return None if the image exists meanwhile."""
        new = await _checked_import(transaction, resolved)
        image_id = await transaction.add_first(self._new_image(resolved), new)
        return _started(image_id, new.name) if image_id is not None else None

    def _new_image(self, resolved: _ResolvedRequest) -> NewImage:
        return NewImage(
            registry_host=self.registry_host,
            repository=resolved.target.repository,
            tag=resolved.target.tag,
            description=resolved.request.description or "",
        )

    async def _answer(self, transaction: QueueTransaction, image: Image, resolved: _ResolvedRequest) -> ImportAnswer:
        connection = transaction.connection
        await check_not_being_deleted(connection, image.id)
        latest = await imports.latest_import(connection, image.id)
        last_ready = await imports.latest_ready_import(connection, image.id)
        decision = decide(image, latest, last_ready, resolved.content, resolved.grant.by)
        if isinstance(decision, Start):
            new = await _checked_import(transaction, resolved, image)
            await images.mark_importing(
                connection, image.id, source=resolved.content.source, description=resolved.request.description
            )
            await transaction.add(image.id, new, WakeUpReason.REQUESTED)
            return _started(image.id, new.name)
        state = AnswerState.EXISTS if isinstance(decision, Exists) else AnswerState.STARTED
        name = latest.name if latest else ""
        return ImportAnswer(state=state, message=decision.message, image_id=image.id, name=name)


async def _checked_import(
    transaction: QueueTransaction, resolved: _ResolvedRequest, image: Image | None = None
) -> NewImport:
    """Return the import by the rule that allows it with the target's tag and the caller's usage.

    Without an image no import has written the tag. Raises `target_tag_foreign`, `limit_reached` and
    `import_limit_reached`.
    """
    connection = transaction.connection
    foreign = await find_foreign(connection, resolved.tag, image.id if image else None)
    grant = await grant_within_limits(connection, grant_with_tag(resolved.grant, foreign))
    return replace(resolved.new, rule_id=grant.rule_id, weight=grant.weight, replaces_foreign=foreign is not None)


def _started(image_id: int, name: str) -> ImportAnswer:
    return ImportAnswer(state=AnswerState.STARTED, message=STARTED, image_id=image_id, name=name)
