"""GET /harbor/stats: the contract's figures, their source, their age, and their limits."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from aiohttp import web

from api_service.parts import Part, images_part
from api_service.settings import Settings
from api_service.status import target_statistics
from api_service.status.answers import NO_FIGURES, PARTIAL_VIEW, STORAGE_NOT_REPORTED
from api_service.web.keys import MANAGEMENT
from deploy.local.servers.harbor.settings import Settings as HarborSettings
from deploy.local.servers.harbor.settings import User
from deploy.local.stack import Registry, synthetic_image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.model.roles import Role
from shared.target.management import TargetManagement, TargetStatistics
from shared.target.settings import TargetKind, TargetSettings
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi
from tests.shared.harbor.conftest import ADMIN, MEMBER, PROJECT, StandIn, standing_in

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
async def standin(target_registry: Registry) -> AsyncIterator[StandIn]:
    """A Harbor with an administrator and a user who sees one project."""
    users = (
        User(name=ADMIN.username, password=ADMIN.password, admin=True),
        User(name=MEMBER.username, password=MEMBER.password, roles={PROJECT: "developer"}),
    )
    async with standing_in(HarborSettings(users=users), target_registry.url) as running:
        running.state.create_project(PROJECT)
        running.state.create_project("hidden")
        await running.push(f"{PROJECT}/app", "1.0", synthetic_image("stats", [9_000]))
        await running.push("hidden/app", "1.0", synthetic_image("stats-hidden", [9_000]))
        yield running


@dataclass
class Figures:
    """A target that reports its figures when the test allows it."""

    reported: TargetStatistics | None = TargetStatistics(projects=2, images=3, size=4, complete=True)  # noqa: RUF009 - frozen
    error: LongshoreError | None = None
    asked: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def statistics(self) -> TargetStatistics | None:
        self.asked += 1
        await self.open.wait()
        if self.error:
            raise self.error
        return self.reported


@pytest.fixture
def figures() -> Figures:
    figures = Figures()
    figures.open.set()
    return figures


def reporting(figures: Figures) -> Sequence[Part]:
    """Return the parts of an API with this target."""

    async def target_part(app: web.Application) -> AsyncIterator[None]:
        # The application uses nothing else of the target.
        app[MANAGEMENT] = cast("TargetManagement", figures)
        yield

    return (*(part for part in REQUESTS_ONLY if part is not images_part), target_part, images_part)


@pytest.fixture
async def stats_api(open_api: OpenApi, settings: Settings, figures: Figures) -> AsyncIterator[Api]:
    async with open_api(settings, reporting(figures)) as api:
        yield api


def before(settings: Settings, standin: StandIn, credential: Credential) -> Settings:
    target = TargetSettings(host=standin.host, credential=credential, kind=TargetKind.HARBOR)
    return replace(settings, shared=replace(settings.shared, target=target))


async def stats(api: Api, role: Role = Role.USER) -> Answer:
    return await api.call("GET", f"{BASE}/harbor/stats", role=role)


async def add_image(
    api: Api, repository: str, *, size: int, ready: bool = True, host: str = "harbor.example.com"
) -> None:
    await api.execute(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, digest, size, created_by)
        VALUES ($1, $2, '1.0', $3, 'docker.io/library/x:1', $4, $5, 'ada')
        """,
        host,
        repository,
        "ready" if ready else "failed",
        "sha256:" + 64 * "a",
        size,
    )


async def test_users_get_harbors_own_figures(open_api: OpenApi, settings: Settings, standin: StandIn) -> None:
    """The contract's three fields count everything in Harbor, not only Longshore's images."""
    async with open_api(before(settings, standin, ADMIN)) as api:
        body = (await stats(api)).body
    assert body["totalProjects"] == len(standin.state.projects)
    assert body["totalImages"] == 2
    assert body["totalSize"] == sum(standin.state.blobs.values())
    assert (body["scope"], body["storageVisible"], body["message"]) == ("target", True, None)
    assert TIME.fullmatch(body["asOf"])
    assert body["ageSeconds"] == 0


async def test_an_account_that_sees_less_says_so(open_api: OpenApi, settings: Settings, standin: StandIn) -> None:
    """Harbor's 0 is not a figure: the answer counts the managed images instead, and reports that."""
    async with open_api(before(settings, standin, MEMBER)) as api:
        await add_image(api, "imports/app", size=700)
        body = (await stats(api)).body
    assert (body["totalProjects"], body["totalImages"], body["totalSize"]) == (len(standin.state.projects) - 1, 1, 700)
    assert (body["scope"], body["storageVisible"], body["message"]) == ("visible", False, PARTIAL_VIEW)


async def test_a_harbor_without_storage_figures_is_named(stats_api: Api, figures: Figures) -> None:
    """Old versions of Harbor do not report this figure to any user."""
    figures.reported = TargetStatistics(projects=2, images=3, size=None, complete=True)
    body = (await stats(stats_api)).body
    assert (body["scope"], body["totalSize"], body["message"]) == ("target", 0, STORAGE_NOT_REPORTED)


async def test_before_a_plain_registry_the_managed_images_are_counted(stats_api: Api, figures: Figures) -> None:
    """A registry has no figures; only ready images of this target count."""
    figures.reported = None
    await add_image(stats_api, "imports/a", size=100)
    await add_image(stats_api, "imports/b", size=30)
    await add_image(stats_api, "team/a", size=5)
    await add_image(stats_api, "team/b", size=1_000, ready=False)
    await add_image(stats_api, "old/a", size=1_000, host="old.example.com")
    body = (await stats(stats_api)).body
    assert (body["totalProjects"], body["totalImages"], body["totalSize"]) == (2, 3, 135)
    assert (body["scope"], body["storageVisible"], body["message"]) == ("managed", False, NO_FIGURES)


async def test_figures_are_remembered_for_a_while(
    stats_api: Api, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated requests cause one request to the target; another follows when the figures are out of date."""
    for _ in range(3):
        assert (await stats(stats_api)).status == 200
    assert figures.asked == 1
    monkeypatch.setattr(target_statistics, "FRESH", 0)
    figures.reported = TargetStatistics(projects=9, images=9, size=9, complete=True)
    assert (await stats(stats_api)).body["totalProjects"] == 9
    assert figures.asked == 2


async def test_those_who_ask_at_once_wait_for_one_answer(stats_api: Api, figures: Figures) -> None:
    """Twenty concurrent requests cause one request to the target."""
    figures.open.clear()
    asking = [asyncio.create_task(stats(stats_api)) for _ in range(20)]
    await asyncio.sleep(0.3)
    figures.open.set()
    assert {(answer.status, answer.body["totalImages"]) for answer in await asyncio.gather(*asking)} == {(200, 3)}
    assert figures.asked == 1


async def test_without_any_figures_a_target_that_is_away_is_503(stats_api: Api, figures: Figures) -> None:
    """The answer has Retry-After; until then the target gets no request."""
    figures.error = LongshoreError(Code.TARGET_UNREACHABLE, "harbor.example.com cannot be reached.")
    for _ in range(3):
        answer = await stats(stats_api)
        assert (answer.status, answer.code) == (503, "target_statistics_unavailable")
        assert (answer.headers["Retry-After"], answer.body["side"]) == ("5", "target")
        assert answer.body["detail"] == "harbor.example.com cannot be reached."
    assert figures.asked == 1


async def test_the_last_figures_outlive_a_target_that_is_away(
    stats_api: Api, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has their age and the reason."""
    first = (await stats(stats_api)).body
    monkeypatch.setattr(target_statistics, "FRESH", 0)
    figures.error = LongshoreError(Code.TARGET_UNREACHABLE, "harbor.example.com cannot be reached.")
    await asyncio.sleep(1.1)
    later = (await stats(stats_api)).body
    assert {**later, "ageSeconds": 0, "message": None} == first
    assert later["ageSeconds"] == 1
    assert "harbor.example.com cannot be reached." in later["message"]


async def test_no_caller_waits_twice_for_a_slow_target(
    stats_api: Api, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request ends in time, the fetch continues, and the next request gets its figures."""
    monkeypatch.setattr(target_statistics, "FETCH_DEADLINE", 0.1)
    figures.open.clear()
    answer = await stats(stats_api)
    assert (answer.status, answer.code) == (503, "target_statistics_unavailable")
    figures.open.set()
    await asyncio.sleep(0.1)
    assert (await stats(stats_api)).body["totalImages"] == 3
    assert figures.asked == 1


async def test_users_and_admins_may_ask(stats_api: Api) -> None:
    """Workers may not read them."""
    assert [(await stats(stats_api, role)).status for role in (Role.USER, Role.ADMIN, Role.WORKER)] == [200, 200, 403]
    assert (await stats_api.call("GET", f"{BASE}/harbor/stats", role=None)).status == 401
