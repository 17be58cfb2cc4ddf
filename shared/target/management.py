"""The target's management: every operation besides moving content, the same for Harbor and for plain registries.

Every failure is a LongshoreError of the target's side.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.oci.digest import Digest
from shared.target.project_quota import ProjectQuota


class Removal(StrEnum):
    """The part of an image that a deletion removed; content that its repository still needs is kept."""

    TAG = "tag"
    """The tag; its manifest stays, because another tag, an index or another managed image needs it."""
    MANIFEST = "manifest"
    """The tag and its manifest."""
    NOTHING = "nothing"
    """Nothing: the tag was gone, or it points to another manifest, and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """Figures about the whole target.

    `images` counts artifacts of every origin; `size` is in bytes of storage, None where the account cannot see it.
    `complete` is False where the figures only cover the projects that the account can see.
    """

    projects: int
    images: int
    size: int | None
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTag:
    """The digest that a tag points to, and when it was pushed there; None where the target does not tell."""

    digest: Digest
    pushed_at: datetime | None = None


class TargetManagement(Protocol):
    """One target under one account. A repository's name begins with its project in every method."""

    async def check(self) -> None:
        """Check that the target answers and knows the account; raises where it does not."""
        ...

    async def prepare_repository(self, repository: str) -> None:
        """Make sure that the repository can be pushed to: Harbor creates no project on a push.

        Creates a missing project, private. Raises `target_project_missing` where the account is not allowed to.
        A plain registry needs no preparation.
        """
        ...

    async def has_project(self, repository: str) -> bool | None:
        """Return whether the repository's project exists; None where the account cannot see that.

        A plain registry has no projects: None.
        """
        ...

    async def project_quota(self, repository: str) -> ProjectQuota | None:
        """Return the quota of the repository's project.

        None where there is no limit, where the limit is unknown, and where the project does not exist yet. A plain
        registry has no limits.
        """
        ...

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that a tag points to now; None where there is no such tag."""
        ...

    async def discard_upload(self, repository: str, address: str) -> bool:
        """Have the target drop an upload; return whether it had none any more. True also for another target's."""
        ...

    async def look_up_tag(self, repository: str, tag: str) -> TargetTag | None:
        """As `find_tag`, with the tag's age, in one try: for a caller that can do without the answer."""
        ...

    async def point_tag(self, repository: str, tag: str, digest: Digest, *, replaces: Digest) -> bool:
        """Point the tag to a manifest that the repository has; return False if it does not point to `replaces` now.

        The tag is looked up right before each sending. Raises `target_not_found` if there is no such manifest.
        """
        ...

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        """Remove the tag while it points to this digest, and delete the manifest unless something else needs it.

        `siblings`: another image that Longshore manages in this repository has the same digest. No other tag is ever
        lost, whatever its origin, and a tag that points to another digest stays. Safe to repeat after a crash at any
        moment. Raises `target_immutable_tag`, `target_artifact_referenced` or `target_delete_refused` where the target
        does not allow it.
        """
        ...

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_ours: Callable[[str, Digest], Awaitable[bool]]
    ) -> None:
        """Remove the tags that hold the referrers of a manifest: cosign's, and the list of the referrers tag schema.

        Call it after the manifest was removed; while the target still has the manifest, nothing happens. Referrers of
        referrers follow. Only a tag and digest that `is_ours` returns True for are removed; content that another tag
        needs stays. Harbor needs nothing: it deletes referrers with their subject, whoever pushed them.
        """
        ...

    async def statistics(self) -> TargetStatistics | None:
        """Return the target's own figures; None for a kind of target that has none."""
        ...
