"""Projects: look-up, creation, listing, and quotas."""

import asyncio
import json

import pytest
from aiohttp import web

from deploy.local.servers.harbor.settings import Settings
from deploy.local.stack import Registry
from shared.errors.error import LongshoreError
from shared.harbor.client import Harbor
from shared.harbor.projects import Quota
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.harbor.conftest import (
    GUEST,
    MEMBER,
    PROJECT,
    ROBOT,
    ROBOTS,
    SYSTEM_ROBOT,
    USERS,
    Opener,
    StandIn,
    standing_in,
)


async def test_a_name_of_digits_is_a_name(standin: StandIn, harbor: Harbor) -> None:
    """Without X-Is-Resource-Name, Harbor would read 1 as the id of its first project."""
    assert standin.state.project("library").id == 1
    assert await harbor.ensure_project("1") is True
    assert await harbor.ensure_project("1") is False
    assert "1" in {project.name async for project in harbor.projects.all()}


async def test_a_missing_project_is_made_private(standin: StandIn, harbor: Harbor) -> None:
    assert await harbor.ensure_project("team-a") is True
    assert await harbor.ensure_project("team-a") is False
    assert standin.state.project("team-a").public is False


async def test_many_may_make_the_same_project_at_once(standin: StandIn, harbor: Harbor) -> None:
    """Harbor creates it for one request, and its 409 for the others counts as success."""
    made = await asyncio.gather(*(harbor.ensure_project("team-b") for _ in range(8)))
    assert sum(made) == 1
    assert [exchange.status for exchange in standin.recorder.asked("POST")].count(409) == 7


async def test_a_system_robot_makes_projects(opened: Opener, standin: StandIn) -> None:
    harbor = await opened(standin.host, SYSTEM_ROBOT)
    assert await harbor.ensure_project("team-c") is True


async def test_a_project_that_may_not_be_made_is_named(opened: Opener, standin: StandIn) -> None:
    """A robot account of one project cannot create another; the message names the missing permission."""
    harbor = await opened(standin.host, ROBOT)
    with pytest.raises(LongshoreError, match="no project team-d, and Longshore's account may not create it") as caught:
        await harbor.ensure_project("team-d")
    assert caught.value.code == "target_project_missing"


async def test_projects_may_be_for_administrators_to_make(opened: Opener, behind: Registry) -> None:
    settings = Settings(users=USERS, robots=ROBOTS, creation="adminonly")
    async with standing_in(settings, behind.url) as standin:
        with pytest.raises(LongshoreError, match="may not create it") as caught:
            await (await opened(standin.host, MEMBER)).ensure_project("team-e")
        assert caught.value.code == "target_project_missing"
        assert await (await opened(standin.host)).ensure_project("team-e") is True


async def test_a_project_of_others_is_not_taken_for_ours(opened: Opener, standin: StandIn) -> None:
    """Harbor hides it from other accounts, and does not let them create it."""
    standin.state.create_project("secret")
    harbor = await opened(standin.host, MEMBER)
    with pytest.raises(LongshoreError, match="has a project secret, but Longshore's account may not see it") as caught:
        await harbor.ensure_project("secret")
    assert caught.value.code == "target_denied"


async def test_read_only_mode_has_a_code_of_its_own(opened: Opener, behind: Registry) -> None:
    """Harbor answers 403 DENIED, although no permission is missing and the state is temporary."""
    async with standing_in(Settings(users=USERS, read_only=True), behind.url) as standin:
        with pytest.raises(LongshoreError, match="read only mode") as caught:
            await (await opened(standin.host)).ensure_project("team-f")
    assert caught.value.code == "target_read_only"
    assert caught.value.kind.retryable


@pytest.mark.parametrize("status", [404, 403])
async def test_harbors_of_all_ages_are_understood(against: Harbor, hostile: HostileRegistry, status: int) -> None:
    """Old versions answer 403 for a project that does not exist."""
    code = {403: "FORBIDDEN", 404: "NOT_FOUND"}[status]
    hostile.on("GET", "/api/v2.0/projects/team", harbor_error(status, code))
    hostile.on("POST", "/api/v2.0/projects", Answer(status=201))
    assert await against.ensure_project("team") is True
    document = json.loads(hostile.requests("POST")[0].body)
    assert document == {"project_name": "team", "metadata": {"public": "false"}}


async def test_an_old_harbor_that_refuses_both_is_a_matter_of_rights(against: Harbor, hostile: HostileRegistry) -> None:
    """Whether the project exists is unknown, and the client does not guess."""
    hostile.on("GET", "/api/v2.0/projects/team", harbor_error(403, "FORBIDDEN"))
    hostile.on("POST", "/api/v2.0/projects", harbor_error(403, "FORBIDDEN"))
    with pytest.raises(LongshoreError, match=r"neither see project team of .* nor create it") as caught:
        await against.ensure_project("team")
    assert caught.value.code == "target_denied"


async def test_lists_are_read_to_their_end(standin: StandIn, harbor: Harbor) -> None:
    for number in range(230):
        standin.state.create_project(f"p{number}")
    names = [project.name async for project in harbor.projects.all()]
    assert len(names) == len(set(names)) == 232
    assert len(standin.recorder.asked("GET")) == 3


async def test_the_quota_is_that_of_the_project(standin: StandIn, harbor: Harbor) -> None:
    standin.state.create_project("small", hard=5_000)
    assert await harbor.projects.quota("small") == Quota(hard=5_000, used=0)
    assert await harbor.projects.quota(PROJECT) == Quota(hard=None, used=0)


async def test_a_quota_that_is_not_shown_is_not_made_up(opened: Opener, standin: StandIn, behind: Registry) -> None:
    """The account is a robot without the right to read it, or Harbor's quotas are switched off."""
    assert await (await opened(standin.host, ROBOT)).projects.quota(PROJECT) is None
    async with standing_in(Settings(users=USERS, quota=None), behind.url) as without:
        assert await (await opened(without.host)).projects.quota("library") is None


async def test_the_quota_of_no_project_says_so(harbor: Harbor, opened: Opener, standin: StandIn) -> None:
    with pytest.raises(LongshoreError, match="has no project nowhere") as caught:
        await harbor.projects.quota("nowhere")
    assert caught.value.code == "target_project_missing"
    standin.state.create_project("secret")
    with pytest.raises(LongshoreError) as caught:
        await (await opened(standin.host, GUEST)).projects.quota("secret")
    assert caught.value.code == "target_denied"


async def test_a_project_that_appears_meanwhile_is_fine(standin: StandIn, harbor: Harbor) -> None:
    def appear(_: web.Request) -> None:
        standin.state.create_project("late")

    standin.recorder.once("POST", appear)
    assert await harbor.ensure_project("late") is False


def harbor_error(status: int, code: str, message: str = "as Harbor says") -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json; charset=utf-8"}, body=body)
