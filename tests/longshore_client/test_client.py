"""The Python client with a real API; the test plays the worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from api_service.app import create_app
from api_service.settings import Settings
from longshore_client import (
    Account,
    ApiError,
    ApiUnreachableError,
    ClientError,
    ImageQuery,
    ImportDetails,
    ImportRequest,
    LongshoreClient,
    UnexpectedAnswerError,
)
from longshore_client import transport as transport_module
from longshore_client import watch as watch_module
from shared.model.roles import Role
from tests.api_service.api import Api, until
from tests.api_service.conftest import REQUESTS_ONLY, Source
from tests.longshore_client.conftest import url_of
from tests.longshore_client.driven_worker import MEGABYTE, DrivenWorker, arrived, moving
from tests.longshore_client.faulty_proxy import STREAM, FaultyProxy


async def collect(updates: AsyncIterator[ImportDetails]) -> list[ImportDetails]:
    return [details async for details in updates]


@pytest.fixture
async def proxy(api: Api) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(url_of(api)).running() as proxy:
        yield proxy


@pytest.fixture
async def through(api: Api, proxy: FaultyProxy) -> AsyncIterator[LongshoreClient]:
    """A client whose requests go through the proxy."""
    async with LongshoreClient(proxy.url, api.tokens[Role.USER]) as client:
        yield client


async def test_an_import_is_started_watched_and_found(
    api: Api, longshore: LongshoreClient, image_source: str, repository: str
) -> None:
    """The steps are those of the example in the class's docstring."""
    started = await longshore.import_image(image_source, platforms=("linux/amd64",), description="mine")
    assert (started.already, started.message) == (False, "Image import started")
    watching = asyncio.create_task(collect(longshore.watch(started.image_id)))
    worker = await DrivenWorker(api).claim(repository)
    await worker.report(a=moving(MEGABYTE, 0), b=arrived(500))
    await worker.ready()
    seen = await watching
    assert [seen[-1].ready, seen[-1].final, seen[-1].error] == [True, True, None]
    assert {layer.digest[-1]: layer.transfer for layer in seen[-1].layers} == {"a": "copied", "b": "copied"}
    image = await longshore.image(started.image_id)
    assert (image.status, image.state, image.description, image.user) == ("ready", "ready", "mine", "user")
    assert image.digest_reference == f"harbor.example.com/{image.repository}@{image.digest}"


async def test_equal_imports_are_joined(longshore: LongshoreClient, image_source: str) -> None:
    started = await asyncio.gather(*(longshore.import_image(image_source) for _ in range(5)))
    assert len({answer.image_id for answer in started}) == 1


async def test_a_plan_needs_the_target(longshore: LongshoreClient, image_source: str) -> None:
    """The target of these tests does not answer, so the API reports its error."""
    with pytest.raises(ApiError) as refused:
        await longshore.plan(ImportRequest(source=image_source))
    assert refused.value.problem.side == "target"


async def test_an_error_has_code_status_hint_and_request(longshore: LongshoreClient) -> None:
    with pytest.raises(ApiError) as refused:
        await longshore.import_image("docker.io/Upper/case")
    error = refused.value
    assert (error.status, error.code, error.transient) == (400, "reference_malformed", False)
    assert error.hint.startswith("Write it as for docker pull")
    assert len(error.request_id) > 8


async def test_failing_fields_are_named(longshore: LongshoreClient) -> None:
    with pytest.raises(ApiError) as refused:
        await longshore.page(ImageQuery(order_by="colour"), number=-1)
    assert {field.field for field in refused.value.problem.fields} == {"orderBy", "page_num"}


async def test_a_list_is_read_page_by_page(longshore: LongshoreClient, source: Source, repository: str) -> None:
    """Each page is requested when it is needed; no image is missing, and none is there twice."""
    for number in range(5):
        source.push(repository, str(number), seed=str(number))
        await longshore.import_image(f"{source.host}/{repository}:{number}")
    query = ImageQuery(tag=repository, order_by="tag", descending=False)
    pages = [page async for page in longshore.pages(query, size=2)]
    assert [[image.tag for image in page.images] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]
    assert {page.total for page in pages} == {5}
    assert [image.tag async for image in longshore.images(query)] == list("01234")
    empty = [page async for page in longshore.pages(ImageQuery(tag="nothing-like-this"))]
    assert [(page.total, list(page.images)) for page in empty] == [(0, [])]


async def test_an_import_is_cancelled_retried_and_deleted(
    longshore: LongshoreClient, image_source: str, repository: str
) -> None:
    started = await longshore.import_image(image_source)
    assert (await longshore.cancel(started.image_id)).state == "cancelled"
    assert (await longshore.wait(started.image_id)).state == "cancelled"
    again = await longshore.retry(started.image_id, Account(username="me", password="secret"))
    assert (again.image_id, again.name != started.name) == (started.image_id, True)
    with pytest.raises(ApiError) as refused:
        await longshore.delete(started.image_id)
    assert refused.value.code == "target_unreachable"


async def test_registries_are_stored_changed_and_deleted(api: Api) -> None:
    account = Account(username="puller", password="hidden")
    assert "hidden" not in repr(account)
    async with LongshoreClient(url_of(api), api.tokens[Role.ADMIN]) as admin:
        stored = await admin.add_registry("quay", "https://quay.io", account=account, default=True)
        assert (stored.username, stored.default) == ("puller", True)
        changed = await admin.change_registry(stored.id, username=None, password=None)
        assert [registry.username for registry in await admin.registries()] == [changed.username] == [None]
        await admin.delete_registry(stored.id)
        assert await admin.registries() == []


async def test_the_api_reports_and_enforces_roles(api: Api) -> None:
    async with LongshoreClient(url_of(api), api.tokens[Role.WORKER]) as worker:
        assert (await worker.whoami()).role == "worker"
        with pytest.raises(ApiError) as refused:
            await worker.page(ImageQuery())
        assert refused.value.code == "forbidden"


async def test_a_watch_outlives_a_restart_of_the_api(
    api: Api, settings: Settings, image_source: str, repository: str
) -> None:
    """Changes during the restart are reported after it; `on_retry` receives the errors."""
    port = unused_port()
    errors: list[ClientError] = []
    seen: list[ImportDetails] = []
    async with LongshoreClient(f"http://127.0.0.1:{port}", api.tokens[Role.USER]) as client:

        async def watch(image_id: int) -> None:
            async for details in client.watch(image_id, on_retry=errors.append):
                seen.append(details)  # noqa: PERF401 - the test reads the list meanwhile

        async def has_moved() -> bool:
            return bool(seen and seen[-1].bytes_done)

        async def has_failed() -> bool:
            return bool(errors)

        async with TestServer(create_app(settings, REQUESTS_ONLY), port=port):
            started = await client.import_image(image_source)
            watching = asyncio.create_task(watch(started.image_id))
            worker = await DrivenWorker(api).claim(repository)
            await worker.report(a=moving(MEGABYTE, 1000))
            await until(has_moved)
        await worker.ready()
        await until(has_failed)
        async with TestServer(create_app(settings, REQUESTS_ONLY), port=port):
            await watching
    assert seen[-1].ready
    assert {type(error) for error in errors} == {ApiUnreachableError}


async def test_a_wait_ends_after_its_retries(api: Api, settings: Settings, image_source: str) -> None:
    port = unused_port()
    async with LongshoreClient(f"http://127.0.0.1:{port}", api.tokens[Role.USER]) as client:
        async with TestServer(create_app(settings, REQUESTS_ONLY), port=port):
            started = await client.import_image(image_source)
        with pytest.raises(ApiUnreachableError):
            await client.wait(started.image_id, retry_for=1)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for the first event, and the pause between polls."""
    monkeypatch.setattr(transport_module, "FIRST_EVENT_SECONDS", 0.3)
    monkeypatch.setattr(watch_module, "POLL_SECONDS", 0.1)


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("streams", ["plain", "silent"])
async def test_the_client_polls_where_no_events_arrive(
    api: Api, proxy: FaultyProxy, through: LongshoreClient, source: Source, streams: Literal["plain", "silent"]
) -> None:
    """Some proxies hold back event streams, or do not request them."""
    proxy.streams = streams
    source.push("odd/proxy")
    started = await through.import_image(f"{source.host}/odd/proxy:1.0")
    watching = asyncio.create_task(collect(through.watch(started.image_id)))
    worker = await DrivenWorker(api).claim("odd/proxy")
    await asyncio.sleep(0.5)  # Time for polls without a change.
    await worker.report(a=moving(MEGABYTE, 1000))
    await worker.ready()
    seen = await watching
    assert seen[-1].ready
    details = [accept for path, accept in proxy.seen if path.endswith("importing-details")]
    assert details.count(STREAM) == 1
    assert all(before.raw != after.raw for before, after in pairwise(seen))


async def test_the_watch_of_a_deleted_image_ends_with_an_error(
    api: Api, longshore: LongshoreClient, image_source: str
) -> None:
    started = await longshore.import_image(image_source)
    async with aclosing(longshore.watch(started.image_id)) as updates:
        assert (await anext(updates)).state == "queued"
        await api.execute("DELETE FROM images WHERE id = $1", started.image_id)
        with pytest.raises(ApiError) as gone:
            await anext(updates)
    assert gone.value.code == "image_not_found"


async def test_a_proxys_own_error_means_that_the_api_is_away(proxy: FaultyProxy, through: LongshoreClient) -> None:
    """The error is transient."""
    proxy.answer = web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")
    with pytest.raises(ApiUnreachableError) as away:
        await through.whoami()
    assert away.value.transient


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_another_server_is_reported_as_such(proxy: FaultyProxy, through: LongshoreClient, status: int) -> None:
    proxy.answer = web.Response(status=status, text="<h1>Welcome!</h1>", content_type="text/html")
    with pytest.raises(UnexpectedAnswerError) as refused:
        await through.whoami()
    assert "longshore login" in refused.value.hint


async def test_a_redirect_does_not_receive_the_token(api: Api, proxy: FaultyProxy, through: LongshoreClient) -> None:
    """The token is sent to the named address alone; the error has the redirect's address."""
    async with FaultyProxy(url_of(api)).running() as elsewhere:
        proxy.answer = web.Response(status=302, headers={"Location": f"{elsewhere.url}/api/v1/whoami"})
        with pytest.raises(UnexpectedAnswerError, match=f"redirects to {elsewhere.url}"):
            await through.whoami()
        assert elsewhere.seen == []


async def test_an_unreachable_api_is_reported_with_the_reason(api: Api) -> None:
    async with LongshoreClient(f"http://127.0.0.1:{unused_port()}", "lsh_x") as client:
        with pytest.raises(ApiUnreachableError, match="Connection refused"):
            await client.whoami()
    async with LongshoreClient(url_of(api).replace("http", "https"), "lsh_x") as client:
        with pytest.raises(ApiUnreachableError, match="No trusted TLS connection") as refused:
            await client.whoami()
    assert not refused.value.transient


async def test_the_environments_proxy_is_used(api: Api, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed network reaches an API outside only through its proxy; NO_PROXY has the hosts inside."""
    monkeypatch.setenv("http_proxy", proxy.url)
    async with LongshoreClient("http://longshore.example.com", api.tokens[Role.USER]) as client:
        assert (await client.whoami()).user == "user"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with LongshoreClient(url_of(api), api.tokens[Role.USER]) as client:
        await client.whoami()
    assert len(proxy.seen) == 1


def test_a_request_has_only_the_given_options() -> None:
    """An API of an older release refuses options that it does not know."""
    assert ImportRequest(source="a").body() == {"source": "a"}
    whole = ImportRequest(
        source="a",
        target="p/a:1",
        platforms=("linux/arm64",),
        credentials=Account(username="u", password="p"),
        description="mine",
        force=True,
        referrers=False,
    )
    assert whole.body(dry_run=True) == {
        "source": "a",
        "target": "p/a:1",
        "platforms": ["linux/arm64"],
        "credentials": {"username": "u", "password": "p"},
        "description": "mine",
        "force": True,
        "referrers": False,
        "dryRun": True,
    }
    assert ImportRequest(source="a", credentials="quay").body()["credentials"] == "quay"


async def test_a_client_needs_async_with(longshore: LongshoreClient) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await LongshoreClient("https://example.com", "lsh_x").whoami()
