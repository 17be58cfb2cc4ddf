"""Harbor as the target: content through the distribution spec, everything else through Harbor's own API."""

from collections.abc import Awaitable, Callable, Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor import client
from shared.harbor.addresses import split_repository
from shared.harbor.client import Harbor
from shared.oci.digest import Digest
from shared.registry.client import Registry
from shared.runtime.concurrency import gather_all
from shared.target.management import Removal, TargetStatistics, TargetTag
from shared.target.point_tag import point_tag
from shared.target.project_quota import ProjectQuota

_REMOVALS = {
    client.Removal.TAG: Removal.TAG,
    client.Removal.ARTIFACT: Removal.MANIFEST,
    client.Removal.NOTHING: Removal.NOTHING,
}
# Pushing and deleting need these; the portal, the scanner and the jobs may be down.
NEEDED_PARTS = frozenset({"core", "database", "redis", "registry"})
# An account that is allowed to push may not be allowed to see the project. The push then finds out.
_HIDDEN = frozenset({Code.TARGET_PROJECT_MISSING, Code.TARGET_DENIED})


class HarborTarget:
    """Implements `TargetManagement`."""

    def __init__(self, harbor: Harbor, registry: Registry) -> None:
        self._harbor = harbor
        self._registry = registry

    async def check(self) -> None:
        """Check both APIs: they are two services behind one address, and either may be down.

        Harbor's health names broken parts before the other two requests time out.
        """
        await gather_all([self._check_parts(), self._registry.ping(), self._check_account()])

    async def prepare_repository(self, repository: str) -> None:
        """Create the project where it is missing.

        An account that is allowed to push may not be allowed to see the project; the push then finds out.
        """
        try:
            await self._harbor.ensure_project(_project(repository))
        except LongshoreError as error:
            if error.code != Code.TARGET_DENIED:
                raise

    async def has_project(self, repository: str) -> bool | None:
        return await self._harbor.projects.exists(_project(repository))

    async def project_quota(self, repository: str) -> ProjectQuota | None:
        project = _project(repository)
        try:
            quota = await self._harbor.projects.quota(project)
        except LongshoreError as error:
            if error.code not in _HIDDEN:
                raise
            return None
        return (
            ProjectQuota(project=project, limit=quota.hard, used=quota.used)
            if quota and quota.hard is not None
            else None
        )

    async def statistics(self) -> TargetStatistics | None:
        found = await self._harbor.statistics()
        images = await self._harbor.count_artifacts()
        return TargetStatistics(projects=found.projects, images=images, size=found.storage, complete=found.complete)

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        return await self._harbor.artifacts(*_split(repository)).find(tag)

    async def discard_upload(self, repository: str, address: str) -> bool:
        return await self._registry.repository(repository).discard_upload(address)

    async def look_up_tag(self, repository: str, tag: str) -> TargetTag | None:
        found = await self._harbor.artifacts(*_split(repository)).look_up_tag(tag)
        return TargetTag(digest=found.digest, pushed_at=found.pushed_at) if found else None

    async def point_tag(self, repository: str, tag: str, digest: Digest, *, replaces: Digest) -> bool:
        return await point_tag(self._registry.repository(repository), tag, digest, replaces=replaces)

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        project, name = _split(repository)
        if siblings:
            untagged = await self._harbor.artifacts(project, name).delete_tag(digest, tag)
            return Removal.TAG if untagged else Removal.NOTHING
        return _REMOVALS[await self._harbor.delete_tag_or_artifact(project, name, digest, tag)]

    async def remove_referrer_tags(
        self, repository: str, digest: Digest, *, is_ours: Callable[[str, Digest], Awaitable[bool]]
    ) -> None:
        """Do nothing: in Harbor, referrers are accessories of the artifact, and are deleted with it."""

    async def _check_account(self) -> None:
        await self._harbor.statistics()

    async def _check_parts(self) -> None:
        try:
            health = await self._harbor.health()
        except LongshoreError:
            # The other two requests report the cause.
            return
        broken = sorted(NEEDED_PARTS.intersection(health.unhealthy))
        if broken:
            raise LongshoreError(
                Code.TARGET_UNAVAILABLE, f"Harbor says of its own parts that {_are(broken)} not healthy."
            )


def _project(repository: str) -> str:
    return _split(repository)[0]


def _split(repository: str) -> tuple[str, str]:
    try:
        return split_repository(repository)
    except ValueError as error:
        raise LongshoreError(Code.TARGET_PROJECT_MISSING, f"In Harbor, {error}.") from None


def _are(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
