"""The use case behind POST /images/:id/importing:cancel."""

import structlog

from api_service.auth.identity import Identity
from api_service.images.checks import check_owner, image_not_found, import_finishing
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import images, import_states, imports
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImportState

_logger = structlog.get_logger(__name__)


async def cancel_import(database: Database, image_id: int, by: Identity) -> None:
    """End the import of an image that is under way; its worker learns of it with its next report.

    An image that was ready before stays so. Raises `image_not_found`, `forbidden`, `import_not_open`, and
    `import_finishing` where the tag is being written at this moment.
    """
    async with database.transaction() as connection:
        image = await images.get_image(connection, image_id)
        if image is None:
            raise image_not_found(image_id)
        check_owner(image_id, image.created_by, by)
        running = await imports.lock_open(connection, image_id)
        if running is None:
            raise LongshoreError(Code.IMPORT_NOT_OPEN, f"The image {image_id} is not being imported.")
        if running.fenced:
            raise import_finishing("Everything is copied and the tag is being written.")
        lifetime = await import_states.finish(connection, running.id, ImportState.CANCELLED)
        await images.mark_failed(connection, image_id, tag_untouched=not running.tagging)
    events.attempt_ended(AttemptEnd(state=ImportState.CANCELLED, lifetime=lifetime))
    _logger.info("import.cancelled", import_name=running.name, by=by.user)
