"""A database that does not answer: each wait has a limit, and so have all waits of a request together."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest

from api_service.web.middlewares import deadline as middleware
from deploy.local.stack import Postgres, Scratch
from shared.db import database as module
from shared.db.coalescer import Coalescer
from shared.db.database import Connection, Database, open_database
from shared.db.deadline import deadline
from shared.errors.error import LongshoreError
from tests.api_service.api import Api
from tests.faults.fault import Direction, Freeze
from tests.faults.link import Link

# The time that a busy machine adds to a limit; without the tested limits each wait takes two seconds more. Seconds.
SLACK = 1.4
BOTH_DIRECTIONS = [Freeze(direction=each) for each in Direction]


@pytest.fixture(scope="module")
def link(scratch: Scratch, postgres: Postgres) -> Iterator[Link]:
    with Link(scratch, postgres.port, name="database-link") as link:
        yield link


@pytest.fixture
async def far(link: Link, postgres: Postgres, database_url: str) -> AsyncIterator[Database]:
    """A Database whose connections go through the link; one connection is open."""
    url = database_url.replace(f":{postgres.port}/", f":{link.port}/")
    async with open_database(url, application="test", size=5) as database:
        await database.check()
        yield database


async def seconds_to_fail(wait: Callable[[], Awaitable[object]]) -> float:
    started = time.monotonic()
    with pytest.raises(LongshoreError) as caught:
        await wait()
    assert caught.value.code == "database_unavailable"
    return time.monotonic() - started


async def in_transaction(database: Database, link: Link) -> None:
    """Freeze the link while a transaction is open."""
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE unfinished ()")
        await asyncio.to_thread(link.set, *BOTH_DIRECTIONS)
        await connection.fetchval("SELECT 1")


async def test_a_silent_statement_costs_its_own_limit_and_no_more(far: Database, link: Link) -> None:
    """Releasing the connection does not wait for the unresponsive server; the next connection is a new one."""
    with link.injecting(*BOTH_DIRECTIONS):
        assert await seconds_to_fail(far.check) < module.STATEMENT_TIMEOUT + SLACK
    await far.check()


async def test_a_silent_transaction_is_rolled_back_by_the_server(far: Database, link: Link) -> None:
    """The end of the transaction does not wait either; the server rolls it back when it notices the lost client."""
    try:
        assert await seconds_to_fail(lambda: in_transaction(far, link)) < module.STATEMENT_TIMEOUT + SLACK
    finally:
        link.set()
    async with far.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('unfinished')") is None


async def test_a_cancelled_wait_ends_at_once(far: Database, link: Link) -> None:
    """A probe with a shorter limit does this."""
    with link.injecting(*BOTH_DIRECTIONS):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await far.check()
    assert time.monotonic() - started < 0.5 + SLACK


async def test_a_connection_that_confuses_the_driver_is_not_used_again(far: Database) -> None:
    """If the server ends at a certain moment, asyncpg reports an internal error for the connection from then on."""

    async def confused() -> None:
        async with far.connection() as connection:
            used.append(connection.get_server_pid())
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    used: list[int] = []
    await seconds_to_fail(confused)
    async with far.connection() as connection:
        assert connection.get_server_pid() not in used


async def test_all_waits_of_a_request_have_one_limit(far: Database) -> None:
    """Two statements within their own limits can exceed the request's; the next request has a new limit."""

    async def work() -> None:
        for _ in range(2):
            async with far.connection() as connection:
                await sleep(connection, 0.8)

    with deadline(1.0):
        assert await seconds_to_fail(work) < 1.0 + SLACK
    with deadline(5.0):
        await work()


async def sleep(connection: Connection, seconds: float) -> None:
    await connection.execute("SELECT pg_sleep($1)", seconds)


async def test_a_request_that_shares_a_query_keeps_its_own_deadline(far: Database) -> None:
    """The query itself goes on for requests with more time."""

    async def look(keys: frozenset[str]) -> frozenset[str]:
        async with far.connection() as connection:
            await sleep(connection, 1.0)
        return keys

    coalescer = Coalescer(look)

    async def ask(key: str, seconds: float) -> frozenset[str]:
        with deadline(seconds):
            return await coalescer.ask(key)

    hurried = asyncio.create_task(seconds_to_fail(lambda: ask("hurried", 0.3)))
    assert await ask("patient", 5.0) == {"hurried", "patient"}
    assert await hurried < 0.3 + SLACK


async def test_a_request_has_a_deadline(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked table delays it no longer than that, and the answer has a Retry-After."""
    # The first check against the OpenAPI document is slow.
    await api.get("/images")
    monkeypatch.setattr(middleware, "REQUEST_DEADLINE", 0.5)
    async with api.database.transaction() as connection:
        await connection.execute("LOCK TABLE images IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        answer = await api.call("GET", "/api/v1/images")
        assert time.monotonic() - started < module.LOCK_TIMEOUT
    assert (answer.status, answer.code) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]
