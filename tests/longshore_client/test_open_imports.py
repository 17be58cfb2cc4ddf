"""The limit of a user's open imports: a list waits for room, one import is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_service.imports import permission
from api_service.settings import Settings
from longshore_client import ClientError, LongshoreClient
from longshore_client.batch import Batch, BatchEntry
from longshore_client.errors import ApiError
from longshore_client.import_request import ImportRequest
from shared.model.roles import Role
from tests.api_service.api import Api, until
from tests.api_service.conftest import OpenApi, Source
from tests.longshore_client.conftest import url_of
from tests.longshore_client.driven_worker import DrivenWorker

OPEN = "SELECT count(*) FROM imports WHERE state IN ('queued', 'running', 'waiting')"


@pytest.fixture
async def narrow(open_api: OpenApi, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """An API that allows two open imports."""
    monkeypatch.setattr(permission, "RETRY_AFTER", 1.0)
    async with open_api(replace(settings, max_open_imports=2)) as api:
        yield api


@pytest.fixture
async def client(narrow: Api) -> AsyncIterator[LongshoreClient]:
    async with LongshoreClient(url_of(narrow), narrow.tokens[Role.USER]) as client:
        yield client


async def test_a_list_waits_for_room(narrow: Api, client: LongshoreClient, source: Source) -> None:
    """Also a list that does not bear an API that is away: its own imports make room."""
    refused: list[ClientError] = []
    names = [f"wide/{letter}" for letter in "abc"]
    for name in names:
        source.push(name)
    batch = Batch(
        client=client,
        entries=[BatchEntry(ImportRequest(source=f"{source.host}/{name}:1.0")) for name in names],
        wait=True,
        retry_for=0,
        on_done=lambda _: None,
        on_retry=refused.append,
    )
    running = asyncio.create_task(batch.run())

    async def is_refused() -> bool:
        return bool(refused)

    await until(is_refused)
    assert await narrow.value(OPEN) == 2
    for _ in names:
        await (await DrivenWorker(narrow).claim("wide/")).ready()
    await running
    assert [entry.details and entry.details.state for entry in batch.entries] == ["ready"] * 3


async def test_one_import_is_refused_with_the_time_to_wait(client: LongshoreClient, source: Source) -> None:
    for letter in "abc":
        source.push(f"one/{letter}")
    for letter in "ab":
        await client.import_image(f"{source.host}/one/{letter}:1.0")
    with pytest.raises(ApiError) as refused:
        await client.import_image(f"{source.host}/one/c:1.0")
    problem = refused.value.problem
    assert (problem.status, problem.code, problem.retry_after) == (429, "import_limit_reached", 1)
