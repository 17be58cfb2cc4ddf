"""`longshore doctor` finds faults and advises on them."""

import json
from dataclasses import replace

import pytest

from api_service.parts import PARTS
from api_service.settings import Settings
from deploy.local.stack import Registry
from shared.model.roles import Role
from shared.target.settings import TargetSettings
from tests.api_service.api import Api
from tests.api_service.conftest import OpenApi
from tests.longshore_client.conftest import Cli, Done, url_of


async def doctor(cli: Cli, api: Api, role: Role = Role.USER) -> Done:
    return await cli.run("doctor", LONGSHORE_URL=url_of(api), LONGSHORE_TOKEN=api.tokens[role])


def marks(done: Done) -> dict[str, str]:
    """Return the mark of each line by the name of its part."""
    lines = [line for line in done.out.splitlines() if line[0] in "✔✘"]
    return {line[2:18].strip(): line[0] for line in lines}


async def test_a_service_without_faults(
    home: Cli, open_api: OpenApi, settings: Settings, amqp_url: str, target_registry: Registry
) -> None:
    target = TargetSettings(host=target_registry.host, credential=None)
    shared = replace(settings.shared, amqp_url=amqp_url, target=target)
    async with open_api(replace(settings, shared=shared), PARTS) as api:
        # The relay connects in the background.
        while (done := await doctor(home, api)).status:
            assert "broker" in done.out, done
    assert set(marks(done)) == {"settings", "API", "database", "database schema", "broker", "target", "token", "role"}
    assert set(marks(done).values()) == {"✔"}


async def test_each_faulty_part_has_advice(home: Cli, open_api: OpenApi, settings: Settings) -> None:
    async with open_api(settings, PARTS) as api:
        done = await doctor(home, api)
    assert done.status == 1
    assert {name for name, mark in marks(done).items() if mark == "✘"} == {"broker", "target"}
    assert "AMQP_URL must lead to it" in done.out
    assert "check TARGET_URL" in done.out


async def test_a_workers_token_is_refused(home: Cli, open_api: OpenApi, settings: Settings) -> None:
    async with open_api(settings, PARTS) as api:
        done = await doctor(home, api, Role.WORKER)
    assert "✘ role            worker" in done.out
    assert "This token is a worker's." in done.out


async def test_a_bad_token_and_an_absent_api_differ(home: Cli, api: Api) -> None:
    """The API of these tests does not answer /readyz, which the doctor reports, too."""
    bad = await home.run("doctor", LONGSHORE_URL=url_of(api), LONGSHORE_TOKEN="lsh_wrong")
    assert marks(bad)["token"] == "✘"
    assert "Sign in with `longshore login`" in bad.out
    away = await home.run("doctor", LONGSHORE_URL="http://127.0.0.1:1", LONGSHORE_TOKEN="lsh_x")
    assert (away.status, marks(away)) == (3, {"settings": "✔", "API": "✘"})


async def test_a_user_who_is_not_signed_in_gets_advice(home: Cli) -> None:
    done = await home.run("doctor", "--json")
    [finding] = json.loads(done.out)
    assert (done.status, finding["name"], finding["well"]) == (4, "settings", False)
    assert "longshore login" in finding["advice"]


@pytest.mark.parametrize(("mode", "mark"), [(0o600, "✔"), (0o644, "✘")])
async def test_a_token_that_others_can_read_is_a_fault(api: Api, home: Cli, mode: int, mark: str) -> None:
    await home.run("login", url_of(api), "--token-stdin", stdin=api.tokens[Role.USER])
    home.config.chmod(mode)
    done = await home.run("doctor")
    assert marks(done)["settings"] == mark
    assert (f"chmod 600 {home.config}" in done.out) is (mark == "✘")


async def test_a_database_that_is_away_is_not_blamed_on_its_schema(
    home: Cli, open_api: OpenApi, settings: Settings
) -> None:
    shared = replace(settings.shared, database_url="postgresql://nobody:x@127.0.0.1:1/none")
    async with open_api(replace(settings, shared=shared), PARTS) as api:
        done = await doctor(home, api)
    assert {name for name, mark in marks(done).items() if mark == "✔"} == {"settings", "API"}
    assert "PostgreSQL must run" in done.out
    assert "longshore-api migrate" not in done.out
