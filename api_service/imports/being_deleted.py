"""Images on their way out, which nothing new is begun with."""

from shared.db import deletions
from shared.db.database import Connection
from shared.errors.codes import Code
from shared.errors.error import LongshoreError

# Told to the client: how soon another try makes sense. Seconds.
RETRY_AFTER = 5.0


async def check_not_being_deleted(connection: Connection, image_id: int) -> None:
    """Raise `image_being_deleted` where the image's deletion has begun; its row must be locked."""
    if await deletions.is_marked(connection, image_id):
        raise LongshoreError(
            Code.IMAGE_BEING_DELETED, f"The image {image_id} is being deleted.", retry_after=RETRY_AFTER
        )
