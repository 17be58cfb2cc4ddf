"""The record of tags in PostgreSQL, for one attempt of an import: those of referrers, and sendings without an end."""

from dataclasses import dataclass
from functools import partial

import structlog

from import_worker.copying.tag import End
from import_worker.reporter import SupersededError
from shared.db import companion_tags
from shared.db.database import Database
from shared.db.import_states import ClaimedImport
from shared.db.tags import tag_writes
from shared.db.tags.tag_writes import TagWrite, WriterClaim
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresTagLedger:
    """Fits `copying.referrers.TagLedger`; `registry` is the target's name in it.

    It is no hint: if the database is away, no tag is written.
    """

    database: Database
    registry: str
    claimed: ClaimedImport

    async def has_written(self, tag: str, digest: Digest) -> bool:
        async with self.database.connection() as connection:
            return await companion_tags.is_written(connection, self.registry, self.claimed.repository, tag, str(digest))

    async def record_tag(self, tag: str, digest: Digest) -> None:
        async with self.database.connection() as connection:
            await companion_tags.record(connection, self.registry, self.claimed.repository, tag, str(digest))

    async def confirm_tag(self, tag: str, digest: Digest) -> None:
        async with self.database.connection() as connection:
            await companion_tags.confirm(connection, self.registry, self.claimed.repository, tag, str(digest))

    async def begin_write(self, tag: str, digest: Digest, *, subject: Digest | None = None) -> End:
        async with self.database.connection() as connection:
            write = await tag_writes.begin(
                connection, self._claim, tag=tag, digest=str(digest), subject=str(subject) if subject else None
            )
        if write is None:
            raise SupersededError
        return partial(self._end, write)

    async def _end(self, write: TagWrite) -> None:
        """Record the end; if that fails, the API looks at the tag, which harms nothing."""
        try:
            async with self.database.connection() as connection:
                await tag_writes.end(connection, self._claim, write)
        except LongshoreError as error:
            _log.warning("tag.end_not_recorded", error=str(error))

    @property
    def _claim(self) -> WriterClaim:
        claimed = self.claimed
        return WriterClaim(import_name=claimed.name, attempt=claimed.attempt, claim_token=claimed.claim_token)
