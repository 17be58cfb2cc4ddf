"""The use case behind POST /images/:id/importing:cancel."""

from dataclasses import dataclass

import structlog

from api_service.audit.note import note_object
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCanceller:
    """Cancels imports."""

    database: Database

    async def cancel(self, image_id: int, by: Identity) -> None:
        """End an image's import under way; the answer to its next report tells the worker to stop.

        An image that was ready before stays ready. Raises `image_not_found`, `forbidden`, `import_not_open`, and
        `import_finishing` if the worker is writing the tag.
        """
        async with self.database.transaction() as connection:
            image = await images.get_image(connection, image_id)
            if image is None:
                raise image_not_found(image_id)
            note_object(f"{image.repository}:{image.tag}")
            check_owner(image, by)
            running = await imports.lock_open(connection, image_id)
            if running is None:
                raise LongshoreError(Code.IMPORT_NOT_OPEN, f"The image {image_id} is not being imported.")
            if running.fenced:
                raise import_finishing("Everything is copied and the tag is being written.")
            lifetime = await import_states.finish(connection, running.id, ImportState.CANCELLED)
            await images.mark_failed(connection, image_id, tag_untouched=not running.tagging)
        events.attempt_ended(AttemptEnd(state=ImportState.CANCELLED, lifetime=lifetime))
        _logger.info("import.cancelled", import_name=running.name, by=by.user)
