"""Looks at tags after PUTs whose end is unknown, and puts them right: the API and the tag agree.

A stopped worker, a proxy or the target itself may carry out such a PUT long after another import has written the tag,
or after the image was deleted. Why: docs/decisions/0050.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.late_writes.decide import Decision, KnownImage, Point, Step, decide_companion, decide_image
from api_service.images.verify_tag import TagVerifier
from api_service.metrics import events
from shared.db import companion_tags, deletions, images
from shared.db.images import Image
from shared.db.tags import tag_writes
from shared.db.tags.tag_writes import TagWrite, WrittenTag
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.runtime.condition import Condition
from shared.target.deadline import target_deadline
from shared.target.management import Removal

# A tag is looked at so many seconds after it was sent. The first look ends most cases; the last one is well behind the
# two minutes after which the worker's own request and those of common proxies have timed out.
DELAYS = (30.0, 120.0, 300.0)
# Between two rounds. Seconds.
INTERVAL = 2.0
# Tags of one round; the next round finds the rest.
BATCH = 20
# A tag that an import or a deletion is about to change, or that cannot be read, is looked at again after this time.
# Seconds.
POSTPONED = 5.0
# Limit for one look with its repair, and the lease of a repair, in which no import writes a tag in the repository: well
# above that limit. Seconds.
DEADLINE = 20.0
LEASE = 60.0

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A tag as one look sees it; `found` is its digest in the target."""

    found: Digest | None
    image: Image | None
    decision: Decision


class TagKeeper:
    """Makes rounds in every API process; a lease keeps two of them from repairing one tag."""

    def __init__(self, work: DeletionWork, verifier: TagVerifier, *, delays: Sequence[float] = DELAYS) -> None:
        self._work = work
        self._verifier = verifier
        self._delays = delays
        self._condition = Condition("late_writes")

    async def run(self) -> None:
        """Make rounds until cancelled."""
        while True:
            try:
                await self.look()
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Look at each tag for which a look is due; raises `database_unavailable`."""
        async with self._work.database.connection() as connection:
            due = await tag_writes.due_tags(connection, self._work.registry_host, delays=self._delays, limit=BATCH)
        for to in due:
            await self._look_at(to)

    async def _look_at(self, to: WrittenTag) -> None:
        async with self._work.database.connection() as connection:
            writes = await tag_writes.writes_of(connection, to)
        try:
            async with target_deadline(DEADLINE, "answer"):
                looked = await self._put_right(to, writes)
        except LongshoreError as error:
            if error.code == Code.DATABASE_UNAVAILABLE:
                raise
            _logger.warning("tag.not_put_right", repository=to.repository, tag=to.tag, reason=str(error))
            looked = not error.kind.retryable
        async with self._work.database.transaction() as connection:
            if looked:
                await tag_writes.mark_looked(connection, writes, delays=self._delays)
            else:
                await tag_writes.postpone(connection, to, seconds=POSTPONED)

    async def _put_right(self, to: WrittenTag, writes: Sequence[TagWrite]) -> bool:
        """Return False if nothing can be said about the tag at this moment."""
        seen = await self._see(to, writes)
        if seen.decision in (Step.KEEP, Step.WAIT):
            return seen.decision is Step.KEEP
        async with self._repairing(to) as allowed:
            if not allowed:
                return False
            # Look again: the tag may have changed before the lease began.
            seen = await self._see(to, writes)
            if seen.decision in (Step.KEEP, Step.WAIT):
                return seen.decision is Step.KEEP
            return await self._repair(to, seen)

    @asynccontextmanager
    async def _repairing(self, to: WrittenTag) -> AsyncIterator[bool]:
        """Hold the tag's lease inside of the block; yields False if it is not to be had now."""
        async with self._work.database.transaction() as connection:
            await deletions.lock_repository_named(connection, to.registry_host, to.repository)
            taken = await tag_writes.take_lease(connection, to, seconds=LEASE)
        yield taken
        if taken:
            # After an exception, the lease runs out: the target may still be working.
            async with self._work.database.connection() as connection:
                await tag_writes.release(connection, to)

    async def _see(self, to: WrittenTag, writes: Sequence[TagWrite]) -> _Seen:
        found = await self._work.target.find_tag(to.repository, to.tag)
        late = {write.digest for write in writes}
        if to.subject is not None:
            return _Seen(found=found, image=None, decision=await self._decide_companion(to, to.subject, found, late))
        async with self._work.database.connection() as connection:
            image = await images.find_image(
                connection, registry_host=to.registry_host, repository=to.repository, tag=to.tag
            )
            marked = image is not None and await deletions.is_marked(connection, image.id)
        known = KnownImage(status=image.status, digest=image.digest) if image else None
        decision = Step.WAIT if marked else decide_image(known, _text(found), late)
        return _Seen(found=found, image=image, decision=decision)

    async def _decide_companion(self, to: WrittenTag, subject: str, found: Digest | None, late: set[str]) -> Decision:
        if _text(found) not in late:
            return Step.KEEP
        there = await self._work.target.find_tag(to.repository, subject)
        async with self._work.database.connection() as connection:
            confirmed = await companion_tags.newest_confirmed(connection, self._work.registry, to.repository, to.tag)
        return decide_companion(_text(found), late, confirmed=confirmed, subject_exists=there is not None)

    async def _repair(self, to: WrittenTag, seen: _Seen) -> bool:
        """Return False if the tag has moved meanwhile."""
        if seen.decision is Step.HEAL:
            await self._show_found(seen.image)
            self._record(to, seen, "healed")
        elif isinstance(seen.decision, Point) and await self._has(to, seen.decision.digest):
            if not await self._point(to, Digest.parse(seen.decision.digest), seen.found):
                return False
            await self._show_found(seen.image)
            self._record(to, seen, "pointed")
        else:
            await self._show_lost(seen.image)
            await self._remove(to, seen.found)
            self._record(to, seen, "removed")
        return True

    async def _has(self, to: WrittenTag, digest: str) -> bool:
        return await self._work.target.find_tag(to.repository, digest) is not None

    async def _point(self, to: WrittenTag, digest: Digest, late: Digest | None) -> bool:
        """Point the tag to the digest instead of the late one; return False if it has moved."""
        if late is None:
            return False
        async with self._work.database.connection() as connection:
            write = await tag_writes.begin_own(connection, to, str(digest))
        pointed = await self._work.target.point_tag(to.repository, to.tag, digest, replaces=late)
        async with self._work.database.connection() as connection:
            await tag_writes.end_own(connection, write)
        return pointed

    async def _remove(self, to: WrittenTag, late: Digest | None) -> None:
        if late is None:
            return
        async with self._work.database.connection() as connection:
            siblings = await tag_writes.has_image(connection, to, str(late))
        removal = await self._work.target.remove_tag(to.repository, to.tag, late, siblings=siblings)
        if removal is Removal.MANIFEST and to.subject is not None:
            async with self._work.database.connection() as connection:
                await companion_tags.forget(connection, self._work.registry, to.repository, [to.tag])

    async def _show_found(self, image: Image | None) -> None:
        if image and image.digest:
            await self._verifier.mark_found(image)

    async def _show_lost(self, image: Image | None) -> None:
        if image:
            await self._verifier.mark_lost(image)

    def _record(self, to: WrittenTag, seen: _Seen, how: str) -> None:
        events.tag_put_right()
        _logger.warning(
            "tag.put_right", repository=to.repository, tag=to.tag, found=_text(seen.found), how=how, subject=to.subject
        )


def _text(digest: Digest | None) -> str | None:
    return str(digest) if digest else None
