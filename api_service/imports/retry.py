"""The use case behind POST /images/:id/importing:retry.

A retry repeats the same import with the digest and platforms that the first attempt pinned, so that blobs that were
copied already count. It resolves the tag again only if the source no longer has that content. The first request's
account is deleted when an import ends; the retry brings another one, or uses a stored one.
"""

from dataclasses import dataclass, replace

from api_service.audit.note import note_object
from api_service.auth.identity import Identity
from api_service.images.checks import check_not_being_deleted, check_owner, image_not_found
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.name import new_import_name
from api_service.imports.permission import (
    Grant,
    ImportPermissions,
    grant_with_tag,
    grant_within_limits,
    hold_limits,
)
from api_service.imports.request import AnswerState, ImportAnswer, ImportRequest, RetryRequest
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.target_name import TargetName
from api_service.imports.target_tag import FoundTag, TargetTags, find_foreign
from api_service.rules.authorize import Facts
from shared.db import images, imports
from shared.db.database import Connection, Database
from shared.db.images import Image
from shared.db.imports import Import
from shared.db.new_import import NewImport
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.sealed_account import seal_account
from shared.model.states import ImportState
from shared.runtime.concurrency import both
from shared.runtime.secret_box import SecretBox

RETRIED = "Image import started again"
# The source no longer has the pinned content: the new import resolves the tag again.
_PIN_IS_LOST = frozenset({Code.SOURCE_NOT_FOUND, Code.BLOB_NOT_FOUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retry:
    """A retry with everything that is known before the database is written; `tag` is None if the target is away."""

    image: Image
    ended: Import
    credentials: bytes | None
    grant: Grant
    tag: FoundTag | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRetrier:
    """Starts failed and cancelled imports again, with their source, their platforms and, if possible, their digest."""

    database: Database
    queue: ImportQueue
    finder: SourceFinder
    permissions: ImportPermissions
    secrets: SecretBox
    tags: TargetTags

    async def retry(self, image_id: int, request: RetryRequest, by: Identity) -> ImportAnswer:
        """Start another import like the image's newest one.

        Raises `image_not_found`, `forbidden`, `import_not_retryable`, `image_being_deleted`, `target_tag_foreign`, the
        refusal of the import rules of today, and the errors of credentials that cannot be used.
        """
        async with self.database.connection() as connection:
            image, ended = await _find_ended(connection, image_id, by)
        target = TargetName(repository=image.repository, tag=image.tag)
        named = await self.finder.name(ImportRequest(source=ended.source, credentials=request.credentials), by)
        self.permissions.naming.check(named.reference, target)
        granted = await self.permissions.grant_names(by, named.reference, image.repository)
        # The right to use a stored account is the right of the user who retries.
        source = named.for_import(target, by)
        project_exists, tag = await both(
            self.permissions.find_project(granted), self.tags.find(image.repository, image.tag)
        )
        retried = _Retry(
            image=image,
            ended=ended,
            credentials=seal_account(self.secrets, source.credential, host=source.reference.registry),
            grant=await self._grant(granted, Facts(force=ended.force, project_exists=project_exists)),
            tag=tag,
        )
        turn = self.permissions.turn(retried.grant, may_change=retried.tag is not None)
        async with turn, self.queue.transaction() as transaction:
            new = await _add(transaction, retried)
        return ImportAnswer(state=AnswerState.STARTED, message=RETRIED, image_id=image_id, name=new.name)

    async def _grant(self, granted: Grant, facts: Facts) -> Grant:
        grant = await self.permissions.grant_facts(granted, facts)
        async with self.database.connection() as connection:
            return await self.permissions.look_at_open(connection, grant)


async def _add(transaction: QueueTransaction, retried: _Retry) -> NewImport:
    """Add the import, if everything still is as it was."""
    connection, image, ended = transaction.connection, retried.image, retried.ended
    await hold_limits(connection, retried.grant, may_change=retried.tag is not None)
    locked = await images.lock_image(
        connection, registry_host=image.registry_host, repository=image.repository, tag=image.tag
    )
    if locked is None or locked.id != image.id:
        raise image_not_found(image.id)
    # Check again under the lock: another request may have started an import meanwhile.
    _, latest = await _find_ended(connection, image.id, retried.grant.by)
    if latest.id != ended.id:
        raise LongshoreError(Code.IMPORT_NOT_RETRYABLE, "Another import of the image has ended meanwhile.")
    await check_not_being_deleted(connection, image.id)
    foreign = await find_foreign(connection, retried.tag, image.id)
    grant = await grant_within_limits(connection, grant_with_tag(retried.grant, foreign))
    await images.mark_importing(connection, image.id, source=ended.source, description=None)
    new = replace(_new_import(retried, grant), replaces_foreign=foreign is not None)
    await transaction.add(image.id, new, WakeUpReason.RETRIED)
    return new


async def _find_ended(connection: Connection, image_id: int, by: Identity) -> tuple[Image, Import]:
    """Return the image and its newest import, which the caller may retry."""
    image = await images.get_image(connection, image_id)
    latest = await imports.latest_import(connection, image_id)
    if image is None or latest is None:
        raise image_not_found(image_id)
    note_object(f"{image.repository}:{image.tag}")
    check_owner(image, by)
    if latest.state not in (ImportState.FAILED, ImportState.CANCELLED):
        raise LongshoreError(Code.IMPORT_NOT_RETRYABLE, f"The newest import of the image {image_id} is {latest.state}.")
    return image, latest


def _new_import(retried: _Retry, grant: Grant) -> NewImport:
    image, ended = retried.image, retried.ended
    return NewImport(
        name=new_import_name(image.repository, image.tag),
        source=ended.source,
        source_digest=None if ended.error_code in _PIN_IS_LOST else ended.source_digest,
        platforms=ended.platforms,
        credentials=retried.credentials,
        requester=grant.by.requester,
        rule_id=grant.rule_id,
        weight=grant.weight,
        force=ended.force,
        with_referrers=ended.with_referrers,
        tag_before=retried.tag.digest if retried.tag else None,
    )
