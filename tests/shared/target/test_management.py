"""The management of a target apart from its tags: the check, projects, quotas and figures."""

import asyncio
import json

import pytest

from deploy.local.servers.harbor.settings import Settings
from deploy.local.stack import LocalStackError, Registry, Scratch, synthetic_image
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.oci.digest import Digest
from shared.target.project_quota import ProjectQuota
from shared.target.settings import TargetKind
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.harbor.conftest import ADMIN, GUEST, MEMBER, PROJECT, StandIn, standing_in
from tests.shared.target.conftest import USERS, Place, managing

KIB = 1024


async def test_a_target_that_works_passes_its_check(place: Place) -> None:
    """The account is valid, and all parts answer."""
    await place.management.check()


async def test_an_account_that_harbor_does_not_know_fails_the_check(standin: StandIn) -> None:
    """The operator learns of it before an import fails."""
    async with managing(standin.host, TargetKind.HARBOR, Credential("admin", "wrong")) as management:
        with pytest.raises(LongshoreError) as caught:
            await management.check()
    assert caught.value.code == "target_denied"


async def test_a_part_of_harbor_that_is_broken_is_named(scratch: Scratch) -> None:
    """The error names the part to repair; parts that Longshore does not need, such as registryctl, are ignored."""
    with Registry(scratch, name="to-be-broken") as registry:
        async with (
            standing_in(Settings(users=USERS), registry.url) as standin,
            managing(standin.host, TargetKind.HARBOR, ADMIN) as management,
        ):
            await management.check()
            registry.kill()
            with pytest.raises(LongshoreError, match="that registry is not healthy") as caught:
                await management.check()
    assert caught.value.code == "target_unavailable"


@pytest.mark.parametrize(("broken", "needed"), [(["jobservice", "trivy"], False), (["redis", "core"], True)])
async def test_only_needed_parts_of_harbor_fail_the_check(
    hostile: HostileRegistry, broken: list[str], needed: bool
) -> None:
    components = [{"name": name, "status": "unhealthy"} for name in broken]
    health = json.dumps({"status": "unhealthy", "components": components}).encode()
    hostile.on("GET", "/api/v2.0/health", Answer(body=health))
    hostile.on("GET", "/api/v2.0/statistics", Answer(body=b"{}"))
    hostile.on("GET", "/v2/", Answer(wait=0.2))
    async with managing(hostile.host, TargetKind.HARBOR, ADMIN) as management:
        if not needed:
            await management.check()
            return
        with pytest.raises(LongshoreError, match="core and redis are not healthy"):
            await management.check()


async def test_a_harbor_that_keeps_its_health_to_itself_passes_its_check(hostile: HostileRegistry) -> None:
    """A proxy may block that path; pushing and deleting still work."""
    hostile.on("GET", "/api/v2.0/health", Answer(status=403))
    hostile.on("GET", "/api/v2.0/statistics", Answer(body=b"{}"))
    hostile.on("GET", "/v2/", Answer())
    async with managing(hostile.host, TargetKind.HARBOR, ADMIN) as management:
        await management.check()


@pytest.mark.parametrize("kind", TargetKind)
async def test_a_target_that_is_away_fails_the_check(kind: TargetKind) -> None:
    """Nothing listens at its address."""
    async with managing("127.0.0.1:1", kind, ADMIN) as management:
        with pytest.raises(LongshoreError) as caught:
            await management.check()
    assert caught.value.code == "target_unreachable"


async def test_a_prepared_repository_can_be_pushed_to(place: Place, repository: str) -> None:
    """This holds for a project that does not exist yet, and for a repeated call."""
    fresh = Place(
        management=place.management, remote=place.remote, repository=f"fresh-{repository.rpartition('/')[2]}/app"
    )
    await place.management.prepare_repository(fresh.repository)
    await place.management.prepare_repository(fresh.repository)
    image = synthetic_image("fresh", [500])
    await fresh.push(image, "1.0")
    assert await fresh.serves("1.0") == image.digest


async def test_projects_are_created_private(harbor: Place, standin: StandIn) -> None:
    """Harbor creates no project on a push: a push alone is refused."""
    alone = Place(management=harbor.management, remote=harbor.remote, repository="created/app")
    with pytest.raises(LocalStackError, match="created"):
        await alone.push(synthetic_image("alone", [500]), "1.0")
    await harbor.management.prepare_repository("created/app")
    assert standin.state.project("created").public is False


async def test_an_account_that_may_not_create_projects_is_reported(standin: StandIn, behind: Registry) -> None:
    """The message contains the project's name."""
    async with (
        standing_in(Settings(users=USERS, creation="adminonly"), behind.url) as strict,
        managing(strict.host, TargetKind.HARBOR, MEMBER) as management,
    ):
        with pytest.raises(LongshoreError) as caught:
            await management.prepare_repository("nowhere/app")
    assert caught.value.code == "target_project_missing"
    assert "nowhere" in caught.value.detail


async def test_an_account_that_may_not_look_leaves_it_to_the_push(standin: StandIn) -> None:
    """A robot account may be allowed to push to a project that it cannot read."""
    standin.state.create_project("hidden")
    async with managing(standin.host, TargetKind.HARBOR, GUEST) as management:
        await management.prepare_repository("hidden/app")


async def test_a_repository_without_a_project_cannot_be_harbors(harbor: Place) -> None:
    """Every repository in Harbor belongs to a project."""
    with pytest.raises(LongshoreError) as caught:
        await harbor.management.prepare_repository("busybox")
    assert caught.value.code == "target_project_missing"


async def test_a_plain_registry_has_no_limits_to_tell(plain: Place) -> None:
    """None means "not known", and does not hold an import up."""
    assert await plain.management.project_quota(plain.repository) is None
    assert await plain.management.statistics() is None


async def test_quota_is_what_the_projects_quota_leaves(harbor: Place, standin: StandIn) -> None:
    """The project's blobs and manifests count once each."""
    standin.state.create_project("small", hard=64 * KIB)
    place = Place(management=harbor.management, remote=harbor.remote, repository="small/app")
    assert await harbor.management.project_quota("small/app") == ProjectQuota(project="small", limit=64 * KIB, used=0)
    await place.push(synthetic_image("quota", [10 * KIB], platforms=("linux/amd64",), index=False), "1.0")
    quota = await harbor.management.project_quota("small/app")
    assert quota
    assert 10 * KIB < quota.used < 12 * KIB
    assert quota.free == 64 * KIB - quota.used


async def test_quota_is_unknown_without_a_limit_or_a_project(harbor: Place) -> None:
    """A project that does not exist yet will get Harbor's default quota."""
    assert await harbor.management.project_quota(harbor.repository) is None
    assert await harbor.management.project_quota("missing/app") is None


async def test_quota_is_unknown_to_an_account_that_may_not_look(standin: StandIn) -> None:
    """The account may still be allowed to push; the push shows it, and a dry run reports the rest."""
    standin.state.create_project("hidden", hard=64 * KIB)
    async with managing(standin.host, TargetKind.HARBOR, GUEST) as management:
        assert await management.project_quota("hidden/app") is None


async def test_a_tag_is_found_where_it_points(place: Place) -> None:
    """The result is None if there is no tag, no repository or no project."""
    image = synthetic_image("found", [500])
    await place.push(image, "1.0")
    assert await place.management.find_tag(place.repository, "1.0") == Digest.parse(image.digest)
    assert await place.management.find_tag(place.repository, "2.0") is None
    assert await place.management.find_tag(f"{place.repository}-none", "1.0") is None
    assert await place.management.find_tag("nowhere/app", "1.0") is None


async def test_an_administrator_sees_all_of_harbors_figures(harbor: Place, standin: StandIn) -> None:
    """An artifact counts once, however many platforms it has."""
    before = await harbor.management.statistics()
    assert before
    image = synthetic_image("figures", [4 * KIB])
    await harbor.push(image, "1.0", "latest")
    after = await harbor.management.statistics()
    assert after
    assert (after.projects, after.complete) == (len(standin.state.projects), True)
    assert after.images == before.images + 1
    assert after.size
    assert after.size - (before.size or 0) >= sum(blob.size for blob in image.blobs)


async def test_others_see_no_storage_and_only_their_projects(standin: StandIn) -> None:
    """Harbor reports 0 to them, which does not count as a figure."""
    standin.state.create_project("hidden")
    await standin.push(f"{PROJECT}/app", "1.0", synthetic_image("seen", [500]))
    await standin.push("hidden/app", "1.0", synthetic_image("unseen", [500]))
    async with managing(standin.host, TargetKind.HARBOR, MEMBER) as management:
        told = await management.statistics()
    assert told
    assert (told.size, told.complete) == (None, False)
    assert told.projects == len(standin.state.projects) - 1
    assert told.images == 1


async def test_nothing_is_asked_of_a_target_before_it_is_used(standin: StandIn) -> None:
    """A service can start while its target is unreachable."""
    async with managing(standin.host, TargetKind.HARBOR, ADMIN):
        await asyncio.sleep(0)
    assert not standin.recorder.exchanges
