"""The uploads of an import in PostgreSQL, so that the API can cancel those that its worker leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from shared.db.database import Database
from shared.db.uploads import target_uploads
from shared.db.uploads.target_uploads import LeftUpload
from shared.errors.error import LongshoreError

_log = structlog.stdlib.get_logger(__name__)


class UploadLog(Protocol):
    """The uploads of one import, by the addresses that the target gave when it opened them."""

    async def record(self, address: str) -> bool:
        """Record an open upload as this import's; return whether it is recorded."""
        ...

    async def forget(self, addresses: Sequence[str]) -> None:
        """Forget uploads that the target has committed or cancelled."""
        ...


class NoUploadLog:
    """Records nothing: for a target that no service cleans. Fits `UploadLog`."""

    async def record(self, _address: str) -> bool:
        return True

    async def forget(self, addresses: Sequence[str]) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresUploadLog:
    """Fits `UploadLog`. If the database is away, the import continues, and the upload is not recorded."""

    database: Database
    registry: str
    repository: str
    import_name: str

    async def record(self, address: str) -> bool:
        upload = LeftUpload(repository=self.repository, address=address)
        try:
            async with self.database.connection() as connection:
                await target_uploads.add(connection, self.registry, [upload], import_name=self.import_name)
        except LongshoreError as error:
            _log.warning("upload.not_recorded", error=str(error))
            return False
        return True

    async def forget(self, addresses: Sequence[str]) -> None:
        try:
            async with self.database.connection() as connection:
                await target_uploads.remove(connection, addresses)
        except LongshoreError as error:
            # The API finds after the import that the target no longer has them.
            _log.warning("uploads.not_forgotten", error=str(error))
