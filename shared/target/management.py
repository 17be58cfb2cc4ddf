"""What Longshore asks of a target beside moving content: the one interface to Harbor and to plain registries.

Every failure is a LongshoreError of the target's side.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from shared.oci.digest import Digest
from shared.target.project_quota import ProjectQuota
from shared.target.removal import Removal
from shared.target.statistics import TargetStatistics


class TargetManagement(Protocol):
    """One target under one account. `repository` begins with its project everywhere."""

    async def check(self) -> None:
        """Ask for a sign of life with the account; raises where the target is away or does not know the account."""
        ...

    async def prepare_repository(self, repository: str) -> None:
        """Make sure that the repository can be pushed to: Harbor creates no project on a push.

        A missing project is made, private. Raises `target_project_missing` where the account may not make one.
        A plain registry needs nothing.
        """
        ...

    async def project_quota(self, repository: str) -> ProjectQuota | None:
        """Return what the repository's project may still take.

        None where there is no limit, where it is not known, and where the project does not exist yet. A plain
        registry has no limits to ask for.
        """
        ...

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        """Return what a tag points to now; None where there is no such tag."""
        ...

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        """Take the tag off this digest, and the manifest too when nothing else needs it.

        `siblings` tells that another image that Longshore manages in this repository has the digest. No other tag is
        ever lost, whoever made it, and the tag itself stays where it points to something else by now. Safe to repeat
        after a crash at any moment. Raises `target_immutable_tag`, `target_artifact_referenced` or
        `target_delete_refused` where the target does not allow it.
        """
        ...

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_managed: Callable[[str], Awaitable[bool]]
    ) -> None:
        """Remove the tags that hold the referrers of a manifest: cosign's, and the list of the referrers tag schema.

        Call it after the manifest was removed; while the target still has the manifest, nothing happens. Referrers of
        referrers follow. A tag that `is_managed` returns True for stays, and so does content that another tag needs.
        Harbor needs nothing: it deletes referrers with their subject.
        """
        ...

    async def statistics(self) -> TargetStatistics | None:
        """Return the target's own figures; None where this kind of target has none to tell."""
        ...
