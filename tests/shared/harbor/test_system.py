"""Harbor's reports about itself: health and statistics."""

import pytest

from deploy.local.images.image import Image
from deploy.local.servers.harbor.settings import Settings
from deploy.local.stack import Registry, Scratch
from shared.errors.error import LongshoreError
from shared.harbor.client import Harbor
from shared.harbor.system import Statistics
from shared.model.credential import Credential
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.harbor.conftest import ADMIN, MEMBER, PROJECT, ROBOT, SYSTEM_ROBOT, Opener, StandIn, standing_in
from tests.shared.harbor.test_projects import harbor_error


async def test_health_is_asked_without_an_account(standin: StandIn, harbor: Harbor) -> None:
    """The check also runs when the account itself may be the problem."""
    health = await harbor.health()
    assert health.healthy
    assert health.unhealthy == ()
    assert "authorization" not in standin.recorder.exchanges[0].sent


async def test_a_broken_part_is_named(scratch: Scratch, opened: Opener) -> None:
    with Registry(scratch, name="short-lived") as registry:
        async with standing_in(Settings(), registry.url) as standin:
            harbor = await opened(standin.host, None)
            assert (await harbor.health()).healthy
            registry.kill()
            health = await harbor.health()
    assert not health.healthy
    assert health.unhealthy == ("registry", "registryctl")
    assert all(component.error for component in health.components if not component.healthy)


async def test_an_administrator_sees_the_storage(standin: StandIn, harbor: Harbor, name: str, image: Image) -> None:
    """The figure counts the bytes of every blob and manifest once."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await standin.push(f"library/{name}", "1.0", image)
    assert await harbor.statistics() == Statistics(projects=2, repositories=2, storage=image.size, complete=True)


@pytest.mark.parametrize(("credential", "projects"), [(MEMBER, 2), (ROBOT, 1), (SYSTEM_ROBOT, 1)])
async def test_for_others_the_storage_is_unknown_and_not_zero(
    opened: Opener, standin: StandIn, image: Image, credential: Credential, projects: int
) -> None:
    """Harbor writes 0 for every total; a robot account is not a member of any project, whatever its level."""
    await standin.push(f"{PROJECT}/x", "1.0", image)
    statistics = await (await opened(standin.host, credential)).statistics()
    assert statistics.storage is None
    assert not statistics.complete
    assert statistics.projects == projects


@pytest.mark.parametrize("credential", [None, Credential("admin", "wrong"), Credential("robot$other", "x")])
async def test_statistics_try_the_account(opened: Opener, standin: StandIn, credential: Credential | None) -> None:
    """A list of projects would return the public ones, as if nothing were wrong."""
    harbor = await opened(standin.host, credential)
    assert [project.name async for project in harbor.projects.all()] == ["library"]
    with pytest.raises(LongshoreError, match="401") as caught:
        await harbor.statistics()
    assert caught.value.code == "target_denied"


async def test_an_old_harbor_without_storage_is_honest(against: Harbor, hostile: HostileRegistry) -> None:
    answer = Answer(body=b'{"total_project_count": 3, "total_repo_count": 5}')
    hostile.on("GET", "/api/v2.0/statistics", answer)
    assert await against.statistics() == Statistics(projects=3, repositories=5, storage=None, complete=True)


async def test_a_password_of_any_letters_arrives(standin: StandIn, harbor: Harbor) -> None:
    """The administrator's password has a colon and a non-ASCII letter."""
    assert ":" in ADMIN.password
    assert not ADMIN.password.isascii()
    assert (await harbor.statistics()).complete


async def test_a_plain_registry_is_no_harbor(opened: Opener, behind: Registry) -> None:
    """Its 404 is not Harbor's, so it does not mean that something is missing in Harbor."""
    harbor = await opened(behind.host, None)
    with pytest.raises(LongshoreError) as caught:
        await harbor.health()
    assert caught.value.code == "target_protocol_error"


async def test_artifacts_are_counted_without_the_parts_of_an_index(
    standin: StandIn, harbor: Harbor, name: str, image: Image, single: Image
) -> None:
    """An index is one artifact; a child counts only if it has a tag."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await standin.push(f"{PROJECT}/{name}/other", "1.0", single)
    await standin.push(f"library/{name}", "1.0", single)
    assert await harbor.count_artifacts(PROJECT) == 2
    assert await harbor.count_artifacts() == 3
    await standin.put(f"{PROJECT}/{name}", "arm64", image.children[1])
    assert await harbor.count_artifacts() == 4


async def test_counting_fails_as_one_error(against: Harbor, hostile: HostileRegistry) -> None:
    """The client counts projects concurrently, and raises the first failure, not an exception group."""
    listed = b'[{"project_id": 1, "name": "a", "repo_count": 1}, {"project_id": 2, "name": "b", "repo_count": 1}]'
    hostile.on("GET", "/api/v2.0/projects", Answer(headers={"X-Total-Count": "2"}, body=listed))
    for project in "ab":
        hostile.on("GET", f"/api/v2.0/projects/{project}/repositories", harbor_error(403, "FORBIDDEN"))
    with pytest.raises(LongshoreError) as caught:
        await against.count_artifacts()
    assert caught.value.code == "target_denied"
