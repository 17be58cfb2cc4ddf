"""Authorization of every route with every kind of token, and the end of tokens."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api_service.app import create_app
from api_service.auth import token_lookup
from api_service.auth.token_lookup import KEPT_FOR
from api_service.routes import ALL_ROUTES
from api_service.settings import Settings
from api_service.web.route import Route
from shared.db.access import tokens
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.conftest import REQUESTS_ONLY

PEOPLE = {Role.USER, Role.ADMIN}

# The roles of each route, written down a second time: a change in the table of routes fails here.
ALLOWED: dict[tuple[str, str], set[Role] | None] = {
    ("GET", "/"): None,
    ("GET", "/console/{file}"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", f"{BASE}/openapi.json"): None,
    ("GET", f"{BASE}/docs"): None,
    ("GET", f"{BASE}/docs/{{file}}"): None,
    ("GET", f"{BASE}/whoami"): set(Role),
    ("GET", f"{BASE}/images"): PEOPLE,
    ("GET", f"{BASE}/images/{{id}}"): PEOPLE,
    ("DELETE", f"{BASE}/images/{{id}}"): PEOPLE,
    ("GET", f"{BASE}/images/{{id}}/importing-details"): PEOPLE,
    ("POST", f"{BASE}/images:import"): PEOPLE,
    ("PUT", f"{BASE}/images:import/{{name}}/progress"): {Role.WORKER},
    ("POST", f"{BASE}/images:import/{{name}}/begin"): {Role.WORKER},
    ("POST", f"{BASE}/images:import/{{name}}/admit"): {Role.WORKER},
    ("POST", f"{BASE}/images/{{id}}/importing:cancel"): PEOPLE,
    ("POST", f"{BASE}/images/{{id}}/importing:retry"): PEOPLE,
    ("GET", f"{BASE}/harbor/stats"): PEOPLE,
    ("GET", f"{BASE}/operations"): PEOPLE,
    ("GET", f"{BASE}/image-registries"): PEOPLE,
    ("POST", f"{BASE}/image-registries"): {Role.ADMIN},
    ("GET", f"{BASE}/image-registries/{{id}}"): {Role.ADMIN},
    ("PATCH", f"{BASE}/image-registries/{{id}}"): {Role.ADMIN},
    ("DELETE", f"{BASE}/image-registries/{{id}}"): {Role.ADMIN},
    ("POST", f"{BASE}/image-registries/{{id}}:test"): PEOPLE,
    ("GET", f"{BASE}/import-rules"): PEOPLE,
    ("POST", f"{BASE}/import-rules"): {Role.ADMIN},
    ("POST", f"{BASE}/import-rules:check"): PEOPLE,
    ("GET", f"{BASE}/import-rules/{{id}}"): {Role.ADMIN},
    ("PATCH", f"{BASE}/import-rules/{{id}}"): {Role.ADMIN},
    ("DELETE", f"{BASE}/import-rules/{{id}}"): {Role.ADMIN},
    ("GET", f"{BASE}/audit"): {Role.ADMIN},
    ("GET", f"{BASE}/tokens"): PEOPLE,
    ("POST", f"{BASE}/tokens"): PEOPLE,
    ("DELETE", f"{BASE}/tokens/{{id}}"): PEOPLE,
}


def of(route: Route) -> tuple[str, str]:
    return route.method, route.path


PROTECTED = [route for route in ALL_ROUTES if ALLOWED.get(of(route))]


def test_the_table_names_every_route() -> None:
    assert {of(route): set(route.roles) if route.roles is not None else None for route in ALL_ROUTES} == ALLOWED


def path(route: Route) -> str:
    return route.path.format(id=1, name="some-import")


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("none", 401, "unauthenticated"),
        ("empty", 401, "unauthenticated"),
        ("basic", 401, "unauthenticated"),
        ("unknown", 401, "unauthenticated"),
        ("revoked", 401, "unauthenticated"),
        ("expired", 401, "token_expired"),
    ],
)
async def test_without_a_good_token_every_route_is_closed(
    api: Api, route: Route, kind: str, status: int, code: str
) -> None:
    """A revoked token gets the same answer as one that never existed."""
    role = next(iter(ALLOWED[of(route)] or ()))
    header = {
        "none": None,
        "empty": "",
        "basic": "Basic dXNlcjpwYXNz",
        "unknown": "Bearer lsh_" + 43 * "A",
        "revoked": f"Bearer {await api.token('alice', role)}",
        "expired": f"Bearer {await api.token('bob', role, lifetime=-1)}",
    }[kind]
    await api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'alice'")
    headers = {} if header is None else {"Authorization": header}
    answer = await api.call(route.method, path(route), role=None, headers=headers)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="longshore"'


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("role", Role)
async def test_each_route_is_open_to_its_roles_alone(api: Api, route: Route, role: Role) -> None:
    answer = await api.call(route.method, path(route), role=role)
    if role in (ALLOWED[of(route)] or ()):
        assert answer.status not in (401, 403)
    else:
        assert (answer.status, answer.code) == (403, "forbidden")
        assert f"the token's role is {role.value}" in answer.body["detail"]


async def test_health_needs_no_token(api: Api) -> None:
    assert (await api.call("GET", "/healthz", role=None)).status == 200


async def test_a_route_that_names_no_roles_is_closed(settings: Settings) -> None:
    """A route whose roles were forgotten rejects every caller."""

    async def forgotten(_request: web.Request) -> web.Response:
        return web.Response(text="secret")

    app = create_app(settings, REQUESTS_ONLY)
    app.router.add_get("/forgotten", forgotten)
    async with TestClient(TestServer(app)) as client, client.get("/forgotten") as response:
        assert response.status == 403
        assert "secret" not in await response.text()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_schemes_case_does_not_matter(api: Api, scheme: str) -> None:
    """RFC 9110, section 11.1."""
    headers = {"Authorization": f"{scheme} {api.tokens[Role.USER]}"}
    assert (await api.call("GET", f"{BASE}/images", role=None, headers=headers)).status == 200


async def test_a_token_ends_within_a_second_of_being_revoked(api: Api) -> None:
    """The API caches a valid token for that long, and never caches an invalid one."""
    assert (await api.call("GET", f"{BASE}/images")).status == 200
    async with api.database.connection() as connection:
        for token in await tokens.list_tokens(connection):
            assert await tokens.revoke_token(connection, token.id)
    await asyncio.sleep(KEPT_FOR)
    assert (await api.call("GET", f"{BASE}/images")).status == 401
    await api.execute("UPDATE api_tokens SET revoked_at = NULL")
    assert (await api.call("GET", f"{BASE}/images")).status == 200


async def test_requests_that_follow_each_other_ask_for_their_token_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request succeeds although the token's row is deleted: a second query would not find it."""
    monkeypatch.setattr(token_lookup, "KEPT_FOR", 60.0)
    assert (await api.call("GET", f"{BASE}/images")).status == 200
    await api.execute("DELETE FROM api_tokens")
    assert (await api.call("GET", f"{BASE}/images")).status == 200


async def test_a_tokens_use_is_noted_about_once_a_minute(api: Api) -> None:
    """An update with every request would make each of them a write."""
    last_used = "SELECT last_used_at FROM api_tokens WHERE role = 'user'"
    assert await api.value(last_used) is None
    await api.get("/images")
    first = await api.value(last_used)
    await api.get("/images")
    assert await api.value(last_used) == first
    await api.execute("UPDATE api_tokens SET last_used_at = now() - interval '2 minutes'")
    await asyncio.sleep(KEPT_FOR)
    await api.get("/images")
    assert await api.value(last_used) > first


async def test_the_database_holds_no_token_that_could_be_used(api: Api) -> None:
    dump = await api.value("SELECT string_agg(api_tokens::text, ' ') FROM api_tokens")
    assert not any(secret in dump or secret.removeprefix("lsh_") in dump for secret in api.tokens.values())
