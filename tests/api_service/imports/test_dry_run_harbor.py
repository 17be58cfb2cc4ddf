"""POST /images:import with dryRun, to a target with projects and quotas."""

from collections.abc import AsyncIterator, Iterator

import pytest

from api_service.settings import Settings
from deploy.local.processes.scratch import LocalStackError
from deploy.local.servers.harbor.settings import Settings as HarborSettings
from deploy.local.stack import Registry, Scratch
from shared.target.settings import TargetKind, TargetSettings
from tests.api_service.api import Api
from tests.api_service.conftest import OpenApi
from tests.api_service.imports.test_dry_run import ANONYMOUS, Case, at, case, plan, prove, record
from tests.shared.harbor.conftest import ADMIN, USERS, StandIn, standing_in

# A fixture; pytest finds it by its name.
__all__ = ["case"]


@pytest.fixture(scope="module")
def behind(scratch: Scratch) -> Iterator[Registry]:
    with Registry(scratch, name="behind-dry-run") as registry:
        yield registry


@pytest.fixture
async def harbor(behind: Registry) -> AsyncIterator[StandIn]:
    async with standing_in(HarborSettings(users=USERS), behind.url) as running:
        yield running


@pytest.fixture
async def api(open_api: OpenApi, settings: Settings, harbor: StandIn) -> AsyncIterator[Api]:
    target = TargetSettings(host=harbor.host, credential=ADMIN, kind=TargetKind.HARBOR)
    async with open_api(at(settings, target)) as api:
        yield api


async def test_a_project_that_is_not_there_yet_has_nothing(api: Api, case: Case) -> None:
    """The import would create the project; until then Harbor denies access to its contents."""
    found = await plan(api, case.body)
    assert (found["bytesToMove"], found["quotaRoom"], found["fits"]) == (case.image.size, None, None)


@pytest.mark.parametrize("short", [0, 1])
async def test_the_plan_predicts_whether_the_quota_suffices(api: Api, case: Case, harbor: StandIn, short: int) -> None:
    """The figure is exact: a push succeeds if the plan fits, and fails if the quota is one byte smaller."""
    harbor.state.create_project("team", hard=case.image.size - short)
    found = await plan(api, case.body)
    assert (found["quotaRoom"], found["fits"]) == (case.image.size - short, short == 0)
    if short:
        with pytest.raises(LocalStackError):
            await harbor.push(case.repository, "1.0", case.image)
    else:
        await harbor.push(case.repository, "1.0", case.image)


async def test_a_blob_of_another_project_is_charged_again(api: Api, case: Case, harbor: StandIn) -> None:
    """A mount saves the transfer, but a project's quota counts the blob, once."""
    await record(api, harbor.host, "elsewhere/app", case.image)
    await prove(api, harbor.host, case.image, ANONYMOUS)
    harbor.state.create_project("team", hard=case.image.size - 1)
    found = await plan(api, case.body)
    assert (found["bytesMountable"], found["fits"]) == (case.blob_bytes, False)
    await api.execute("UPDATE blobs SET repository = 'team/other'")
    found = await plan(api, case.body)
    assert (found["bytesMountable"], found["fits"]) == (case.blob_bytes, True)
