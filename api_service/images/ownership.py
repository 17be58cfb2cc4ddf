"""Who may change an image: all may see every one of them."""

from api_service.auth.identity import Identity
from shared.errors.codes import Code
from shared.errors.error import LongshoreError


def check_owner(image_id: int, owner: str, by: Identity) -> None:
    """Raise `forbidden` unless the image is the caller's, or the caller an admin."""
    if not by.may_change(owner):
        raise LongshoreError(
            Code.FORBIDDEN, f"The image {image_id} belongs to {owner}; its owner or an admin can do this."
        )


def no_image(image_id: int) -> LongshoreError:
    """Return the error about an image that does not exist, or no longer does."""
    return LongshoreError(Code.IMAGE_NOT_FOUND, f"There is no image {image_id}.")
