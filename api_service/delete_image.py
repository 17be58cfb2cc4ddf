"""The use case behind DELETE /images/:id."""

from dataclasses import dataclass

from api_service.begin_deletion import begin_deletion
from api_service.carry_out_deletion import DeletionWork
from api_service.identity import Identity
from shared.target.removal import Removal


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDeletion:
    """Deletes images, from the target and from the list."""

    work: DeletionWork

    async def delete(self, image_id: int, by: Identity) -> Removal:
        """Delete an image and return what went from the target.

        Raises `image_not_found`, `forbidden`, `import_finishing`, `image_being_deleted`, and what the target says.
        """
        return await self.work.carry_out(await begin_deletion(self.work.database, image_id, by))
