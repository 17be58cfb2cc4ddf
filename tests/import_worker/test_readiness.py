"""A worker's /readyz: each part by name, with its failure."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from deploy.local.stack import Postgres, Registry
from import_worker.settings import WorkerSettings, settings_from
from import_worker.worker import Worker, open_worker
from shared.db.migrations.revision import needed_revision
from shared.settings import reading_environment
from tests.scripted.hostile import Answer, HostileRegistry

WHO = "/api/v1/whoami"
TOKEN = "lsh_" + 43 * "t"
PASSWORD = "hidden"


@pytest.fixture
async def api() -> AsyncIterator[HostileRegistry]:
    """An API that accepts the worker's token."""
    async with HostileRegistry() as api:
        api.on("GET", WHO, _identity("worker"))
        yield api


@pytest.fixture
def settings(
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
    target_registry: Registry,
    api: HostileRegistry,
    unused_tcp_port_factory: Callable[[], int],
) -> WorkerSettings:
    """Every part is reachable but RabbitMQ."""
    environment = {
        "DATABASE_URL": database_url,
        "AMQP_URL": f"amqp://guest:{PASSWORD}@127.0.0.1:1/",
        "TARGET_URL": target_registry.url,
        "API_URL": api.url,
        "WORKER_TOKEN": TOKEN,
        "WORKER_HEALTH_PORT": str(unused_tcp_port_factory()),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with reading_environment() as env:
        return settings_from(env)


def _identity(role: str) -> Answer:
    body = b'{"userName": "worker", "role": "%s"}' % role.encode()
    return Answer(headers={"Content-Type": "application/json"}, body=body)


async def ask(
    settings: WorkerSettings, before: Callable[[Worker], None] = lambda _: None
) -> tuple[int, Mapping[str, Any]]:
    """Open a worker, which does not run, and request its readiness."""
    async with (
        open_worker(settings) as worker,
        aiohttp.ClientSession() as session,
    ):
        before(worker)
        async with session.get(f"http://127.0.0.1:{settings.health_port}/readyz") as response:
            return response.status, await response.json()


async def test_a_part_that_is_away_is_named_with_its_reason(settings: WorkerSettings) -> None:
    """No other part is called broken, and no password is shown."""
    status, body = await ask(settings)
    assert (status, body["status"]) == (503, "unready")
    fine = {"ready": True}
    assert body["parts"] == {
        "database": fine,
        "schema": fine,
        "rabbitmq": {"ready": False, "detail": "not connected; no import is taken"},
        "api": fine,
        "target": fine,
    }
    assert PASSWORD not in str(body)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Answer(status=401, body=b'{"code": "unauthenticated"}'), "api_refused: The API answered 401 unauthenticated."),
        (_identity("user"), "api_refused: WORKER_TOKEN has the role user, not worker."),
        (Answer(status=503), "api_unavailable: The API answered 503."),
    ],
)
async def test_a_token_without_the_workers_role_is_reported_before_any_import(
    settings: WorkerSettings, api: HostileRegistry, answer: Answer, detail: str
) -> None:
    """A new worker with a wrong token does not become ready: a rollout stops at it."""
    api.on("GET", WHO, answer)
    _, body = await ask(settings)
    assert body["parts"]["api"] == {"ready": False, "detail": detail}
    assert TOKEN not in str(body)


async def test_an_api_that_is_away_is_named(settings: WorkerSettings) -> None:
    _, body = await ask(replace(settings, api_url="http://127.0.0.1:1"))
    assert body["parts"]["api"]["detail"].startswith("api_unavailable: The API cannot be reached")


async def test_an_older_schema_is_named(settings: WorkerSettings, postgres: Postgres) -> None:
    """A worker that is newer than the database waits for the migration."""
    database = settings.shared.database_url.rpartition("/")[2]
    postgres.execute("UPDATE alembic_version SET version_num = '0000'", database=database)
    _, body = await ask(settings)
    assert body["parts"]["schema"]["detail"].startswith(f"revision 0000, needed {needed_revision()}")


async def test_a_stopping_worker_says_so(settings: WorkerSettings) -> None:
    status, body = await ask(settings, lambda worker: worker.readiness.stop())
    assert (status, body["status"]) == (503, "stopping")
