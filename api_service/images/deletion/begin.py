"""The first step of a deletion, in one transaction: cancel the image's open import, and mark the image.

While the mark is there, no import writes a tag in the image's repository. An API instance that finds a mark with an
expired lease may finish the deletion.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from api_service.audit.note import note_object
from api_service.auth.identity import Identity
from api_service.images.checks import check_owner, image_being_deleted, image_not_found, import_finishing
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import deletions, images, import_states, imports
from shared.db.database import Connection, Database
from shared.db.deletions import DeletableImage
from shared.db.tags import tag_writes
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import OPEN_STATES, ImportState

# No other instance continues a deletion for this long. Seconds; well above the deadlines of its requests to the target,
# so that two instances never work on one image.
LEASE = 60.0
# A request waits this long for an import that writes a tag, or for another deletion of the image; both usually take
# less. Seconds; the API answers within five.
BEGIN_DEADLINE = 4.0
PAUSE = 0.2

_TEMPORARY = frozenset({Code.IMPORT_FINISHING, Code.IMAGE_BEING_DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunDeletion:
    """A marked image; `until` is the end of the lease, and proves that the lease is still this one.

    `tagged`: the digests that imports may have pointed the tag to since the image was last ready. `resumed`: the
    deletion was begun before, and some of its steps may be done.
    """

    image: DeletableImage
    until: datetime
    tagged: frozenset[str]
    resumed: bool


async def begin_deletion(database: Database, image_id: int, by: Identity) -> BegunDeletion:
    """Mark an image, and wait a few seconds for an import or a deletion that is about to end.

    Raises `image_not_found`, `forbidden`, `import_finishing`, `image_being_deleted`.
    """
    deadline = monotonic() + BEGIN_DEADLINE
    while True:
        try:
            return await _try_to_begin(database, image_id, by)
        except LongshoreError as error:
            if error.code not in _TEMPORARY or monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE)


async def resume_deletion(database: Database, image_id: int) -> BegunDeletion | None:
    """Take over a deletion with an expired lease; None if there is none, or an import is writing a tag."""
    async with database.transaction() as connection:
        image = await deletions.lock_image(connection, image_id)
        if image is None or image.leased or not image.marked:
            return None
        await deletions.lock_repository(connection, image_id)
        if await tag_writes.is_repairing(connection, image_id) or await deletions.tag_being_written(
            connection, image_id
        ):
            return None
        return await _mark(connection, image, user=None)


async def _try_to_begin(database: Database, image_id: int, by: Identity) -> BegunDeletion:
    cancelled = None
    async with database.transaction() as connection:
        running = await imports.lock_open(connection, image_id)
        image = await deletions.lock_image(connection, image_id)
        if image is None:
            raise image_not_found(image_id)
        note_object(f"{image.repository}:{image.tag}")
        check_owner(image, by)
        if image.leased:
            raise image_being_deleted(image_id)
        await deletions.lock_repository(connection, image_id)
        await _check_no_writer(connection, image)
        if running:
            lifetime = await import_states.finish(connection, running.id, ImportState.CANCELLED)
            cancelled = AttemptEnd(state=ImportState.CANCELLED, lifetime=lifetime)
            await images.mark_failed(connection, image_id, tag_untouched=not running.tagging)
        await _check_nothing_new(connection, image_id)
        begun = await _mark(connection, image, user=by.user)
    if cancelled:
        events.attempt_ended(cancelled)
    return begun


async def _check_no_writer(connection: Connection, image: DeletableImage) -> None:
    if await tag_writes.is_repairing(connection, image.id):
        raise import_finishing(f"A tag of {image.repository} is being put right at this moment.")
    if await deletions.tag_being_written(connection, image.id):
        raise import_finishing(f"An import is writing a tag in {image.repository} at this moment.")


async def _check_nothing_new(connection: Connection, image_id: int) -> None:
    """Raise `import_finishing` if an import began after the lookup: its row has to be locked before the image's."""
    latest = await imports.latest_import(connection, image_id)
    if latest and latest.state in OPEN_STATES:
        raise import_finishing(f"An import of the image {image_id} has just begun.")


async def _mark(connection: Connection, image: DeletableImage, *, user: str | None) -> BegunDeletion:
    return BegunDeletion(
        image=image,
        until=await deletions.begin(connection, image.id, user=user, lease=LEASE),
        tagged=await imports.digests_tagged_since_ready(connection, image.id),
        resumed=image.marked,
    )
