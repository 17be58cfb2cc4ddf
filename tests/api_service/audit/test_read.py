"""GET /audit: for admins, filtered, in pages that do not move."""

from typing import Any

import pytest

from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api


async def fill(api: Api, count: int = 10) -> None:
    """Add events, a minute apart; odd ones were refused."""
    await api.execute(
        """
        INSERT INTO audit_events (at, user_name, operation, object, status, code)
        SELECT timestamptz '2026-11-30 12:00Z' + make_interval(mins => n), 'user' || n % 3,
               CASE WHEN n % 2 = 0 THEN 'importImage' ELSE 'deleteImage' END, 'imports/app:' || n,
               CASE WHEN n % 2 = 0 THEN 200 ELSE 403 END, CASE WHEN n % 2 = 1 THEN 'forbidden' END
        FROM generate_series(0, $1 - 1) AS n
        """,
        count,
    )


async def read(api: Api, query: str = "", role: Role | None = Role.ADMIN) -> Answer:
    return await api.call("GET", f"{BASE}/audit{query}", role=role)


async def numbers(api: Api, query: str) -> list[int]:
    answer = await read(api, query)
    assert answer.status == 200, answer
    return [int(event["object"].rpartition(":")[2]) for event in answer.body["events"]]


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.USER, 403), (Role.WORKER, 403), (None, 401)])
async def test_only_admins_read_it(api: Api, role: Role | None, status: int) -> None:
    for method in ("GET", "HEAD"):
        assert (await api.call(method, f"{BASE}/audit", role=role)).status == status


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("?userName=user1", [7, 4, 1]),
        ("?operation=deleteImage", [9, 7, 5, 3, 1]),
        ("?object=imports/app:4", [4]),
        ("?object=imports/app", []),
        ("?code=forbidden&userName=user0", [9, 3]),
        ("?refused=true", [9, 7, 5, 3, 1]),
        ("?refused=false&page_size=2", [8, 6]),
        ("?since=2026-11-30T12:07:00Z", [9, 8, 7]),
        ("?until=2026-11-30T12:02:00Z", [1, 0]),
        ("?since=2026-11-30T13:03:00%2B01:00&until=2026-11-30T12:05:00.000Z", [4, 3]),
        ("?page_size=2&code=forbidden", [9, 7]),
        ("?before=4", [2, 1, 0]),
        ("?userName=%25", []),
    ],
)
async def test_filters_narrow_the_log(api: Api, query: str, expected: list[int]) -> None:
    """Ids begin at 1, so that the event with the id 4 is the one with the number 3."""
    await fill(api)
    assert await numbers(api, query) == expected


async def test_pages_are_the_whole_log_in_order_while_events_are_added(api: Api) -> None:
    await fill(api, 25)
    seen: list[Any] = []
    before = ""
    while True:
        body = (await read(api, f"?page_size=10{before}")).body
        seen += [event["id"] for event in body["events"]]
        if body["nextBefore"] is None:
            break
        before = f"&before={body['nextBefore']}"
        await api.call("DELETE", f"{BASE}/images/1")
    assert seen == list(range(25, 0, -1))


async def test_a_last_page_that_is_full_has_no_next_one(api: Api) -> None:
    await fill(api)
    assert (await read(api, "?page_size=10")).body["nextBefore"] is None
    assert (await read(api, "?page_size=9")).body["nextBefore"] == 2


@pytest.mark.parametrize(
    "query",
    [
        "?since=yesterday",
        "?since=2026-11-30",
        "?since=2026-11-30T12:00:00",
        "?until=2026-13-30T12:00:00Z",
        "?until=2026-11-30T12:00:00%2B99:00",
        "?page_size=0",
        "?page_size=201",
        "?before=0",
        "?before=9223372036854775808",
        "?before=x",
        "?refused=1",
        "?userName=",
        "?userName=%00",
        "?object=%0a",
        "?colour=red",
        "?code=a&code=b",
    ],
)
async def test_a_bad_filter_is_refused_by_name(api: Api, query: str) -> None:
    answer = await read(api, query)
    assert (answer.status, answer.code) == (400, "validation_failed")
    assert answer.body["errors"][0]["field"] == query[1:].partition("=")[0]


async def test_the_first_and_the_last_time_are_no_error(api: Api) -> None:
    """PostgreSQL's timestamps reach further than Python's."""
    await fill(api)
    assert await numbers(api, "?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z") == list(range(9, -1, -1))
