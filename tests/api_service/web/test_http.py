"""Rules for every request: ids, one form of errors, no leaks, and no input that causes a 500."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from structlog.testing import capture_logs

from api_service.settings import Settings
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.conftest import OpenApi

UUID = re.compile(r"[0-9a-f]{32}")


async def test_a_callers_request_id_is_kept(api: Api) -> None:
    answer = await api.call("GET", f"{BASE}/images/99", headers={"X-Request-ID": "trace-1.2:3_4"})
    assert answer.headers["X-Request-ID"] == answer.body["requestId"] == "trace-1.2:3_4"


@pytest.mark.parametrize("given_id", ["", "a b", "x" * 129, "<script>", "é"])
async def test_an_unfit_request_id_is_replaced(api: Api, given_id: str) -> None:
    answer = await api.call("GET", "/healthz", headers={"X-Request-ID": given_id})
    assert UUID.fullmatch(answer.headers["X-Request-ID"])


async def test_answers_stay_out_of_caches_and_name_no_software(api: Api) -> None:
    for path in ("/healthz", f"{BASE}/images", "/nowhere"):
        answer = await api.call("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Server" not in answer.headers


@pytest.mark.parametrize("role", [None, Role.USER])
async def test_an_unknown_path_is_a_problem_too(api: Api, role: Role | None) -> None:
    answer = await api.call("GET", "/api/v2/images", role=role)
    assert (answer.status, answer.code) == (404, "route_not_found")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", f"{BASE}/images", {"GET", "HEAD"}),
        ("GET", f"{BASE}/images:import", {"POST"}),
        ("POST", f"{BASE}/images:import/x/progress", {"PUT"}),
        ("PATCH", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_the_answer_to_a_wrong_method_lists_the_right_ones(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.call(method, path)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(",")) == allowed
    options = await api.call("OPTIONS", path, role=None)
    assert (options.status, set(options.headers["Allow"].split(","))) == (204, allowed)


@pytest.mark.parametrize("path", ["/healthz", f"{BASE}/images", f"{BASE}/images/99"])
async def test_head_is_get_without_a_body(api: Api, path: str) -> None:
    full, head = await api.call("GET", path), await api.call("HEAD", path)
    assert (head.status, head.body) == (full.status, "")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/images%3Aimport",
        f"{BASE}/./images:import",
        f"{BASE}/x/../images:import",
    ],
)
async def test_other_spellings_of_a_path_are_the_same_path(api: Api, path: str) -> None:
    answer = await api.call("POST", path, json={})
    assert (answer.status, answer.code) == (400, "validation_failed")


@pytest.mark.parametrize(
    "path",
    [f"{BASE}/images:import/", f"{BASE}//images:import", f"{BASE}/images:import/a/b/progress", f"{BASE}/images/"],
)
async def test_similar_paths_are_other_paths(api: Api, path: str) -> None:
    for method in ("GET", "PUT", "POST"):
        assert (await api.call(method, f"{BASE}{path}")).status in (404, 405)


async def test_an_unexpected_failure_shows_only_its_id(api: Api) -> None:
    """The answer has no text of a driver and no traceback; the log has both."""
    await api.execute("ALTER TABLE images RENAME TO astray")
    try:
        with capture_logs() as logs:
            answer = await api.call("GET", f"{BASE}/images")
    finally:
        await api.execute("ALTER TABLE astray RENAME TO images")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "relation" not in str(answer.body)
    (failure,) = [log for log in logs if log["event"] == "request.failed"]
    assert failure["exc_info"]


async def test_a_request_leaves_one_line_in_the_log_without_its_secrets(api: Api) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        secret = "s3cr3t-value"
        body = {"source": "docker.io/UPPER", "credentials": {"username": "a", "password": secret}}
        await api.call("POST", f"{BASE}/images:import?token={secret}", json=body, headers={"X-Request-ID": "one"})
    (line,) = [log for log in logs if log["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("POST", f"{BASE}/images:import", 400)
    assert (line["user"], line["code"], line["request_id"]) == ("user", "reference_malformed", "one")
    assert line["ms"] > 0
    assert secret not in str(logs)


async def test_an_unreachable_database_is_said_in_time(open_api: OpenApi, settings: Settings) -> None:
    """The answer is 503 with Retry-After, and the request never hangs."""
    away = replace(settings.shared, database_url="postgresql://nobody:x@127.0.0.1:1/none")
    async with open_api(replace(settings, shared=away)) as api, asyncio.timeout(6):
        answer = await api.call("GET", f"{BASE}/images")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "database_unavailable", "2")


HOSTILE = [
    "\0",
    "%",
    "%zz",
    "%ff",
    "%00",
    "..",
    "/",
    "\ud800",
    "a" * 5000,
    "\N{COLLISION SYMBOL}",
    "\n",
    "'",
    "٣",
    "-0",
    "1e5",
]


async def raw(api: Api, target: bytes, *, method: bytes = b"GET", more: bytes = b"", body: bytes = b"") -> int:
    """Send a request byte for byte and return the answer's status; HTTP clients would normalize it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    authorization = api.authorization()["Authorization"].encode()
    head = (method + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", b"Authorization: " + authorization)
    writer.write(b"\r\n".join((*head, b"Content-Length: %d" % len(body))) + b"\r\n" + more + b"\r\n" + body)
    status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(status.split(b" ")[1])


async def test_no_path_or_query_gives_a_server_error(api: Api) -> None:
    """NUL, lone surrogates, broken escapes, and slashes in names get 4xx or a valid answer."""
    for text in HOSTILE:
        escaped = quote(text.encode(errors="surrogatepass")).encode()
        unescaped = text.encode(errors="surrogatepass").replace(b"\n", b"").replace(b"\0", b"")
        for part in (escaped, unescaped, b"\xff\xfe", b"%ed%a0%80"):
            for target in (b"/images/" + part, b"/images:import/" + part + b"/progress", b"/" + part):
                assert await raw(api, BASE.encode() + target) < 500, target
            for name in (b"tag", b"userName", b"page_num", b"orderBy", part):
                assert await raw(api, BASE.encode() + b"/images?" + name + b"=" + part) < 500, (name, part)


async def test_no_header_gives_a_server_error(api: Api) -> None:
    for header in (
        b"Accept: \xff\r\n",
        b"Last-Event-ID: \xff\r\nAccept: text/event-stream\r\n",
        b"X-Request-ID: \xff\xfe\r\n",
        b"Content-Type: \xff; charset=\xff\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
    ):
        assert await raw(api, BASE.encode() + b"/images", more=header) < 500, header
        assert await raw(api, BASE.encode() + b"/images:import", method=b"POST", more=header, body=b"{}") < 500, header


@pytest.mark.parametrize("token", ["\xff", "a b", "", "x" * 600, "lsh_" + 43 * "A", "'; --", "lsh_\x7f"])
async def test_no_token_gives_a_server_error(api: Api, token: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    head = f"GET {BASE}/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode("latin-1"))
    status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert int(status.split(b" ")[1]) in (400, 401)


async def test_no_value_in_a_body_gives_a_server_error(api: Api) -> None:
    """Every hostile value in every field; a value that passes validation is refused by the network policy."""
    values: list[Any] = [*HOSTILE, 2**63, -(2**70), 1.5, [], {}, [None], {"username": "\0"}, True]
    for field in ("sourceRegistry", "target", "platforms", "credentials", "description", "force", "source"):
        for value in values:
            body = {"source": "127.0.0.1:1/app:1.0", "target": "bad", field: value}
            data = json.dumps(body).encode()
            answer = await api.call(
                "POST", f"{BASE}/images:import", data=data, headers={"Content-Type": "application/json"}
            )
            assert 400 <= answer.status < 500, (field, value, answer)
            assert answer.body["state"] == 0
