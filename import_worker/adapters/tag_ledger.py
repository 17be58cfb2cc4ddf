"""The record of companion tags in PostgreSQL, for one repository of the target."""

from dataclasses import dataclass

from shared.db import companion_tags
from shared.db.database import Database
from shared.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresTagLedger:
    """Fits `copying.referrers.TagLedger`; `registry` is the target's name in it.

    It is no hint: if the database is away, no tag is written.
    """

    database: Database
    registry: str
    repository: str

    async def has_written(self, tag: str, digest: Digest) -> bool:
        async with self.database.connection() as connection:
            return await companion_tags.is_written(connection, self.registry, self.repository, tag, str(digest))

    async def record_tag(self, tag: str, digest: Digest) -> None:
        async with self.database.connection() as connection:
            await companion_tags.record(connection, self.registry, self.repository, tag, str(digest))
