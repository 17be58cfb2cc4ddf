"""The audit log: which requests are in it, what an event says, and what it never holds."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from api_service.audit import write_events
from api_service.audit.middleware import is_audited
from api_service.audit.write_events import MAX_TEXT, AuditWriter
from api_service.background.purge import Purger
from api_service.routes import ALL_ROUTES
from api_service.settings import Settings
from deploy.local.processes.server import PASSWORD_MARK
from shared.db.access.audit import AuditEvent, insert_events
from shared.db.database import Database, open_database
from shared.model.roles import Role
from tests.api_service.api import BASE, Api, until
from tests.api_service.conftest import OpenApi, Source


async def events(api: Api, query: str = "") -> list[dict[str, Any]]:
    """Return the events, newest first."""
    found: list[dict[str, Any]] = (await api.get(f"/audit{query}", role=Role.ADMIN))["events"]
    return found


async def the_event(api: Api) -> dict[str, Any]:
    (event,) = await events(api)
    return event


def values(event: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(event[name] for name in names)


def test_the_routes_that_write_are_audited_but_for_workers_reports() -> None:
    """Written down a second time: a new route that writes is audited without a change here, if people may call it."""
    for route in ALL_ROUTES:
        of_people = route.roles is None or route.roles & {Role.USER, Role.ADMIN}
        assert is_audited(route) == (route.method != "GET" and bool(of_people)), route.path


async def test_an_import_leaves_one_event(api: Api, source: Source, repository: str) -> None:
    source.push(repository)
    headers = {"X-Request-ID": "from-the-caller"}
    await api.start({"source": f"{source.host}/{repository}:1.0", "target": "imports/app:1.0"}, headers=headers)
    event = await the_event(api)
    assert values(event, "userName", "issuer", "subject", "role") == ("user", "", "user", "user")
    assert values(event, "operation", "object", "status", "code") == ("importImage", "imports/app:1.0", 200, None)
    assert values(event, "address", "requestId") == ("127.0.0.1", "from-the-caller")


async def test_an_event_names_the_api_token(api: Api) -> None:
    await api.call("DELETE", f"{BASE}/images/1")
    token_id = await api.value("SELECT id FROM api_tokens WHERE user_name = 'user'")
    assert (await the_event(api))["tokenId"] == token_id


async def test_an_event_of_a_jwt_has_issuer_and_subject(jwt_api: Api, issuer: Any) -> None:
    await jwt_api.call("DELETE", f"{BASE}/images/1", token=issuer.token("ada"))
    assert values(await the_event(jwt_api), "userName", "role", "tokenId") == ("ada", "user", None)


async def test_a_dry_run_is_told_apart(api: Api, image_source: str) -> None:
    """It changes nothing, and asks about a target all the same."""
    await api.post_import({"source": image_source, "target": "imports/app:1.0", "dryRun": True})
    assert values(await the_event(api), "operation", "object") == ("importImage:dryRun", "imports/app:1.0")


async def test_refused_and_failed_requests_leave_an_event_with_their_code(api: Api) -> None:
    await api.post_import({"source": "docker.io/library/app:1.0", "target": "no project"})
    await api.call("DELETE", f"{BASE}/images/4711")
    await api.call("POST", f"{BASE}/image-registries", json={})
    await api.post_import({})
    found = [values(event, "operation", "object", "status", "code") for event in await events(api)]
    assert found == [
        ("importImage", "", 400, "validation_failed"),
        ("createRegistry", "", 403, "forbidden"),
        ("deleteImage", "4711", 404, "image_not_found"),
        ("importImage", "", 400, "validation_failed"),
    ]


async def test_an_unexpected_failure_leaves_an_event(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_service.images.handlers.read_id", None)
    assert (await api.call("DELETE", f"{BASE}/images/1")).status == 500
    assert values(await the_event(api), "status", "code") == (500, "internal_error")


@pytest.mark.parametrize(
    "request_of_a_reader",
    [("GET", "/images"), ("HEAD", "/images"), ("GET", "/audit"), ("PUT", "/images"), ("POST", "/no")],
)
async def test_requests_that_cannot_write_leave_none(api: Api, request_of_a_reader: tuple[str, str]) -> None:
    method, path = request_of_a_reader
    await api.call(method, f"{BASE}{path}", role=Role.ADMIN)
    assert await events(api) == []


async def test_workers_reports_leave_none(api: Api) -> None:
    """Not even from a person, who may not call the route."""
    for role in Role:
        await api.call("PUT", f"{BASE}/images:import/app-1.0-bcdfghjkmn/progress", role=role, json={})
    assert await events(api) == []


async def test_a_worker_on_a_route_for_people_leaves_an_event(api: Api) -> None:
    await api.call("DELETE", f"{BASE}/images/1", role=Role.WORKER)
    assert values(await the_event(api), "userName", "role", "code") == ("worker", "worker", "forbidden")


async def test_registries_are_named(api: Api) -> None:
    body = {"name": "mirror", "url": "https://registry.example.com"}
    created = (await api.call("POST", f"{BASE}/image-registries", role=Role.ADMIN, json=body)).body
    await api.call("PATCH", f"{BASE}/image-registries/{created['id']}", role=Role.ADMIN, json={"isDefault": True})
    await api.call("DELETE", f"{BASE}/image-registries/{created['id']}", role=Role.ADMIN)
    found = [values(event, "operation", "object", "status") for event in reversed(await events(api))]
    number = str(created["id"])
    assert found == [
        ("createRegistry", "mirror", 201),
        ("changeRegistry", number, 200),
        ("deleteRegistry", number, 200),
    ]


async def test_no_event_and_no_log_line_has_a_secret(api: Api) -> None:
    """Neither passwords of bodies, nor tokens, nor a secret that a user puts into a path or a reference."""
    secret = PASSWORD_MARK + secrets.token_hex(8)
    with capture_logs() as lines:
        body = {"name": "mirror", "url": "https://registry.example.com", "username": "ada", "password": secret}
        await api.call("POST", f"{BASE}/image-registries", role=Role.ADMIN, json=body)
        await api.post_import(
            {"source": f"https://ada:{secret}@registry.example.com/app", "target": f"imports/a@{secret}"}
        )
        await api.post_import({"source": "x/y:1", "credentials": {"username": "ada", "password": secret}})
        await api.call("DELETE", f"{BASE}/images/{secret}")
        await api.call("DELETE", f"{BASE}/images/1", role=None, token=secret)
    stored = await api.value("SELECT string_agg(audit_events::text, ' ') FROM audit_events")
    assert await api.value("SELECT count(*) FROM audit_events") == 5
    assert secret not in stored
    assert secret not in str([line for line in lines if str(line["event"]).startswith("audit")])
    assert all(token not in stored for token in api.tokens.values())


async def test_each_event_is_one_log_line(api: Api) -> None:
    with capture_logs() as lines:
        await api.call("DELETE", f"{BASE}/images/1")
    (line,) = [line for line in lines if line["event"] == "audit"]
    assert (line["user_name"], line["operation"], line["object"], line["code"]) == (
        "user",
        "deleteImage",
        "1",
        "image_not_found",
    )


async def test_an_event_is_stored_before_the_answer_is_sent(api: Api) -> None:
    for number in range(20):
        await api.call("DELETE", f"{BASE}/images/1")
        assert await api.value("SELECT count(*) FROM audit_events") == number + 1


async def test_concurrent_requests_share_statements(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement is a commit: fifty requests at once need far fewer than fifty."""
    statements = 0
    insert = insert_events

    async def counting(*arguments: Any) -> None:
        nonlocal statements
        statements += 1
        await insert(*arguments)

    monkeypatch.setattr(write_events, "insert_events", counting)
    await api.call("DELETE", f"{BASE}/images/1")
    await asyncio.gather(*(api.call("DELETE", f"{BASE}/images/{number}") for number in range(50)))
    assert await api.value("SELECT count(DISTINCT object) FROM audit_events") == 50
    assert statements < 26


async def test_without_a_token_events_are_limited_and_the_rest_is_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood must not fill the database; requests with a token are recorded all the same."""
    monkeypatch.setattr(write_events, "MAX_UNPROVED", 5)
    monkeypatch.setattr(write_events, "UNPROVED_PERIOD", 1.0)
    with capture_logs() as lines:
        for token in [None, "lsh_unknown"] * 10:
            assert (await api.call("DELETE", f"{BASE}/images/1", role=None, token=token)).status == 401
        await api.call("DELETE", f"{BASE}/images/1")
        found = await events(api)
        await until(lambda: _counted(lines))
    assert [event["userName"] for event in found] == ["user", *5 * [None]]
    assert {event["code"] for event in found[1:]} == {"unauthenticated"}
    (counted,) = [line for line in lines if line["event"] == "audit.left_out"]
    assert counted["requests"] == 15
    await api.call("DELETE", f"{BASE}/images/1", role=None)
    assert len(await events(api)) == 7


async def _counted(lines: list[Any]) -> bool:
    return any(line["event"] == "audit.left_out" for line in lines)


@pytest.mark.parametrize("kind", ["expired", "revoked"])
async def test_an_ended_token_proves_nothing(api: Api, kind: str) -> None:
    token = await api.token("alice", lifetime=-1 if kind == "expired" else None)
    if kind == "revoked":
        await api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'alice'")
    await api.call("DELETE", f"{BASE}/images/1", token=token)
    code = "token_expired" if kind == "expired" else "unauthenticated"
    assert values(await the_event(api), "userName", "tokenId", "status", "code") == (None, None, 401, code)


async def test_while_the_database_is_away_the_event_is_in_the_log_and_the_answer_stands(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.execute("ALTER TABLE audit_events RENAME TO away")
    try:
        with capture_logs() as lines:
            assert (await api.call("DELETE", f"{BASE}/images/1")).status == 404
    finally:
        await api.execute("ALTER TABLE away RENAME TO audit_events")
    (line,) = [line for line in lines if line["event"] == "audit.not_stored"]
    assert (line["user_name"], line["object"], line["status"]) == ("user", "1", 404)
    await api.call("DELETE", f"{BASE}/images/2")
    assert (await the_event(api))["object"] == "2"


async def test_an_unreachable_database_delays_the_answer_a_moment_at_most() -> None:
    """Nothing listens on port 1, and a database that hangs is bounded by the caller's time."""
    async with open_database("postgresql://x@127.0.0.1:1/x", application="test", size=1) as database:
        writer = AuditWriter(database)
        with capture_logs() as lines:
            async with asyncio.timeout(5):
                await writer.write(AuditEvent(user_name="ada", operation="deleteImage", status=503), within=0.5)
        await writer.close()
    assert [line["event"] for line in lines] == ["audit.not_stored"]


async def test_a_locked_table_delays_an_answer_a_moment_at_most(api: Api, database: Database) -> None:
    writer = AuditWriter(database)
    async with api.database.transaction() as connection:
        await connection.execute("LOCK TABLE audit_events")
        with capture_logs() as lines:
            async with asyncio.timeout(1):
                await writer.write(AuditEvent(user_name="ada", operation="deleteImage", status=200), within=0.2)
    assert [line["event"] for line in lines] == ["audit.not_stored"]
    await writer.close()


HOSTILE = [
    "\x00",
    "\x1b[2J\x1b]0;owned\x07",
    "line\nbreak\r\n",
    "\u202eevil\u202c",
    "\ud800",
    "'; DROP TABLE audit_events; --",
    "x" * 10_000,
    "\x00" * 10_000,
    "😀" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_texts_are_stored_escaped_and_cut(api: Api, database: Database, text: str) -> None:
    """No event is lost by a name that the database would refuse, and none misleads a reader of the log."""
    writer = AuditWriter(database)
    event = AuditEvent(user_name=text, subject=text, operation="deleteImage", object=text, status=200, address=text)
    with capture_logs() as lines:
        await writer.write(event, within=5)
    assert [line["event"] for line in lines if line["event"] != "part.up"] == ["audit"]
    stored = await the_event(api)
    for field in ("userName", "subject", "object", "address"):
        assert stored[field].isprintable()
        assert len(stored[field]) <= MAX_TEXT
    assert stored["object"] == text or "\\" in stored["object"] or stored["object"].endswith("…")


async def test_a_hostile_path_is_stored_as_nothing(api: Api) -> None:
    """A path is any text; only an id is kept of it."""
    for path in ("%00", "%1b%5b2J", "9" * 8000, "..%2f..", "1%0a2"):
        answer = await api.call("DELETE", f"{BASE}/images/{path}")
        assert answer.status in (400, 404)
    assert {event["object"] for event in await events(api)} <= {""}


async def test_events_older_than_the_setting_are_deleted(api: Api) -> None:
    for number in range(6):
        await api.call("DELETE", f"{BASE}/images/{number}")
    await api.execute("UPDATE audit_events SET at = now() - make_interval(days => 10, secs => id) WHERE id <= 5")
    await Purger(api.database, audit_days=10).purge()
    assert (await the_event(api))["object"] == "5"


async def test_the_address_is_the_connections_unless_a_listed_proxy_names_another(
    api: Api, open_api: OpenApi, settings: Settings
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    await api.call("DELETE", f"{BASE}/images/1", headers=headers)
    assert (await the_event(api))["address"] == "127.0.0.1"
    async with open_api(replace(settings, trusted_proxies=(ip_network("127.0.0.0/8"),))) as behind:
        await behind.call("DELETE", f"{BASE}/images/1", headers=headers)
        assert (await events(behind))[0]["address"] == "198.51.100.7"


async def test_a_client_that_leaves_is_recorded(api: Api) -> None:
    """Its request may have been carried out."""
    # Opens the connection to the database, so that the token is known before the client leaves.
    await api.get("/images")
    server = api.client.server
    async with ClientSession() as session:
        request = session.post(
            server.make_url(f"{BASE}/images:import"),
            data=_slow_body(),
            headers=api.authorization() | {"Content-Type": "application/json"},
        )
        task = asyncio.ensure_future(request.__aenter__())
        await asyncio.sleep(0.3)
        task.cancel()
    await until(lambda: _has_event(api))
    event = await the_event(api)
    assert values(event, "userName", "operation") == ("user", "importImage")
    assert event["status"] in (0, 400)


async def _slow_body() -> Any:
    yield b'{"source": '
    await asyncio.sleep(60)


async def _has_event(api: Api) -> bool:
    return bool(await api.value("SELECT count(*) FROM audit_events"))
