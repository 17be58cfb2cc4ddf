"""The first step of a deletion, one transaction: stop the import that is under way, and mark the image.

From then on no import writes a tag in the image's repository, and whoever finds the mark with its lease run out may
finish the deletion.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from api_service.auth.identity import Identity
from api_service.images.checks import check_owner, image_being_deleted, image_not_found, import_finishing
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import deletions, images, import_states, imports
from shared.db.database import Connection, Database
from shared.db.deletions import DeletableImage
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import OPEN_STATES, ImportState

# How long a deletion that was begun is nobody else's to go on with. Seconds; well above the deadline of its work at the
# target, so that two never work on one image.
LEASE = 60.0
# How long a request waits for an import that writes a tag, or for another deletion of the image: both are done in less
# as a rule. Seconds; the answer comes within five.
PATIENCE = 4.0
PAUSE = 0.2

_PASSES_SOON = frozenset({Code.IMPORT_FINISHING, Code.IMAGE_BEING_DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunDeletion:
    """A marked image; `until` is the end of the lease, and its proof.

    `tagged`: the digests that imports since the image was last ready may have pointed its tag to. `resumed`: somebody
    has begun this deletion before, and may have come any far with it.
    """

    image: DeletableImage
    until: datetime
    tagged: frozenset[str]
    resumed: bool


async def begin_deletion(database: Database, image_id: int, by: Identity) -> BegunDeletion:
    """Begin, after a few seconds' wait if need be.

    Raises `image_not_found`, `forbidden`, `import_finishing`, `image_being_deleted`.
    """
    give_up = monotonic() + PATIENCE
    while True:
        try:
            return await _try_to_begin(database, image_id, by)
        except LongshoreError as error:
            if error.code not in _PASSES_SOON or monotonic() > give_up:
                raise
        await asyncio.sleep(PAUSE)


async def resume_deletion(database: Database, image_id: int) -> BegunDeletion | None:
    """Take over a deletion whose lease has run out; None where there is none, or it has to wait."""
    async with database.transaction() as connection:
        image = await deletions.lock_image(connection, image_id)
        if image is None or image.leased or not image.marked:
            return None
        await deletions.lock_repository(connection, image_id)
        if await deletions.tag_being_written(connection, image_id):
            return None
        return await _mark(connection, image, user=None)


async def _try_to_begin(database: Database, image_id: int, by: Identity) -> BegunDeletion:
    cancelled = None
    async with database.transaction() as connection:
        running = await imports.lock_open(connection, image_id)
        image = await deletions.lock_image(connection, image_id)
        if image is None:
            raise image_not_found(image_id)
        check_owner(image.id, image.created_by, by)
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
    if await deletions.tag_being_written(connection, image.id):
        raise import_finishing(f"An import is writing a tag in {image.repository} at this moment.")


async def _check_nothing_new(connection: Connection, image_id: int) -> None:
    """An import that began after we looked for one would have to be locked before its image: start over."""
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
