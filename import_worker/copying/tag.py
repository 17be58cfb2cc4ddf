"""Writes a tag of the target: with the permission of the API, and only over a digest that it may replace.

The specification has no conditional PUT. The tag is therefore looked up right before each sending, after the
permission: a client that writes it within that one request is the only one that is not seen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from import_worker.copying.ends import Target
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest

# Awaited right before a tag is written, each time it is sent; raises if this attempt may no longer write it.
Fence: TypeAlias = Callable[[], Awaitable[None]]


# Records that a sending has ended.
End: TypeAlias = Callable[[], Awaitable[None]]


class TagJournal(Protocol):
    """The record of sendings whose end is not known: what the target carries out late is found and put right."""

    async def begin_write(self, tag: str, digest: Digest, *, subject: Digest | None = None) -> End:
        """Record that the tag is about to be sent; await the result once the sending has been answered.

        `subject`: the tag holds referrers of this digest. Raises if this attempt may no longer write the tag.
        """
        ...


class AlreadyTaggedError(Exception):
    """The tag points to the manifest already, so that nothing is sent: it may be immutable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """The digests that the image's tag may have when it is written; None: it is not compared.

    A tag that does not exist may always be written, because nothing is lost.
    """

    digests: frozenset[str] | None = None

    def check(self, tag: str, found: Digest | None) -> None:
        """Raise `target_tag_foreign` if the tag has a digest that may not be replaced."""
        if found is None or self.digests is None or str(found) in self.digests:
            return
        raise LongshoreError(
            Code.TARGET_TAG_FOREIGN,
            f"The tag {tag} points to {found}, which no import of this image wrote; it was not overwritten.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TagWriter:
    """Writes tags of one repository. Each sending needs `fence`, and is recorded in the journal, if there is one."""

    target: Target
    fence: Fence
    journal: TagJournal | None = None

    async def write(
        self, tag: str, manifest: Manifest, check: Callable[[Digest | None], None], *, subject: Digest | None = None
    ) -> bool:
        """Point the tag to the manifest; return False if it does already. Raises the exceptions of fence and `check`.

        Of a sending that fails or is cancelled the end is not known; the record of it stays.
        """
        sending = _Sending(self, tag, manifest.digest, check, subject)
        try:
            await self.target.put_manifest(tag, manifest, before=sending.before, check_replaced=sending.check_replaced)
        except AlreadyTaggedError:
            return False
        finally:
            if sending.refused:
                await sending.end()
        await sending.end()
        return True


class _Sending:
    """One PUT of a tag with its repetitions."""

    def __init__(
        self,
        writer: TagWriter,
        tag: str,
        digest: Digest,
        check: Callable[[Digest | None], None],
        subject: Digest | None,
    ) -> None:
        self._writer = writer
        self._tag = tag
        self._digest = digest
        self._check = check
        self._subject = subject
        self._end: End | None = None
        self.refused = False
        """Whether the tag may not be written, so that the newest sending did not take place."""

    async def before(self) -> None:
        await self._writer.fence()
        if self._writer.journal:
            self._end = await self._writer.journal.begin_write(self._tag, self._digest, subject=self._subject)

    def check_replaced(self, found: Digest | None) -> None:
        self.refused = True
        if found == self._digest:
            raise AlreadyTaggedError
        self._check(found)
        self.refused = False

    async def end(self) -> None:
        """Record the end of the newest sending; of an earlier one, whose answer was lost, it is not known."""
        if self._end:
            await self._end()
