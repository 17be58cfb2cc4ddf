"""Checks that every change of an image begins with, and the errors that several changes share."""

from api_service.auth.identity import Identity
from shared.db import deletions
from shared.db.database import Connection
from shared.db.deletions import DeletableImage
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError

# Sent as Retry-After while an image is being deleted: most deletions end within seconds. Seconds.
DELETION_RETRY_AFTER = 5.0
# Sent as Retry-After while an import writes its tag: it ends within seconds, successfully or not. Seconds.
TAGGING_RETRY_AFTER = 5.0


def check_owner(image: Image | DeletableImage, by: Identity, *, advice: str = "") -> None:
    """Raise `forbidden` unless the caller owns the image or is an admin; `advice` is another sentence for the error."""
    if not by.may_change(image.owner):
        owner = f"another user named {by.user}" if image.created_by == by.user else image.created_by
        text = f"The image {image.id} belongs to {owner}; only its owner or an admin can change it. {advice}"
        raise LongshoreError(Code.FORBIDDEN, text.strip())


async def check_not_being_deleted(connection: Connection, image_id: int) -> None:
    """Raise `image_being_deleted` if the image's deletion has begun; its row must be locked."""
    if await deletions.is_marked(connection, image_id):
        raise image_being_deleted(image_id)


def image_not_found(image_id: int) -> LongshoreError:
    """Return the error for an id that no image has."""
    return LongshoreError(Code.IMAGE_NOT_FOUND, f"There is no image {image_id}.")


def image_being_deleted(image_id: int) -> LongshoreError:
    """Return the error for an image whose deletion has begun."""
    return LongshoreError(
        Code.IMAGE_BEING_DELETED, f"The image {image_id} is being deleted.", retry_after=DELETION_RETRY_AFTER
    )


def import_finishing(detail: str) -> LongshoreError:
    """Return the error for an import that writes its tag at this moment."""
    return LongshoreError(Code.IMPORT_FINISHING, detail, retry_after=TAGGING_RETRY_AFTER)
