"""Writes a tag of the target: with the permission of the API, and only over a digest that it may replace.

The specification has no conditional PUT. The tag is therefore looked up right before each sending, after the
permission: a client that writes it within that one request is the only one that is not seen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from import_worker.copying.ends import Target
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest

# Awaited right before a tag is written, each time it is sent; raises if this attempt may no longer write it.
Fence: TypeAlias = Callable[[], Awaitable[None]]


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


async def write_tag(
    target: Target, tag: str, manifest: Manifest, fence: Fence, check: Callable[[Digest | None], None]
) -> bool:
    """Point the tag to the manifest; return False if it does already. Raises the exceptions of `fence` and `check`."""

    def check_replaced(found: Digest | None) -> None:
        if found == manifest.digest:
            raise AlreadyTaggedError
        check(found)

    try:
        await target.put_manifest(tag, manifest, before=fence, check_replaced=check_replaced)
    except AlreadyTaggedError:
        return False
    return True
