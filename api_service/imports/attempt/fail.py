"""The end of an import that fails for good: by a report, by a refusal when its attempt begins, or by a lost worker."""

from api_service.metrics.events import AttemptEnd
from shared.db import images, import_states
from shared.db.database import Connection
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.model.states import ImportState


async def fail_import(connection: Connection, found: Import, *, code: Code, detail: str) -> AttemptEnd:
    """End a locked import as failed; an image whose tag it did not touch keeps its state."""
    state = ImportState.FAILED
    lifetime = await import_states.finish(connection, found.id, state, code=code, detail=detail)
    await images.mark_failed(connection, found.image_id, tag_untouched=not found.tagging)
    return AttemptEnd(state=state, code=code, lifetime=lifetime)
