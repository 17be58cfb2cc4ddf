"""Authorization in full: every route with every kind of caller, by API token and by JWT, on own and others' images.

`tests/api_service/auth/test_auth.py` tests how tokens end; this table lists the routes that a valid one opens.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api_service.parts import relay_part
from api_service.routes import ALL_ROUTES
from api_service.settings import Settings
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState, dump_report
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi
from tests.api_service.who_may import CLAIM, CLAIM_TOKEN

UNAUTHENTICATED = (401, "unauthenticated")
EXPIRED = (401, "token_expired")
FORBIDDEN = (403, "forbidden")
OPEN = (200, None)

# All kinds of callers. "owner" owns the image in the paths, "user" is another user with the same role.
CALLERS = (
    "nobody",
    "bad",
    "expired",
    "revoked",
    "owner",
    "user",
    "admin",
    "worker",
    "jwt owner",
    "jwt user",
    "jwt admin",
    "jwt worker",
    "jwt expired",
    "jwt bad",
)
_ROLE_OF = {
    "owner": "owner",
    "jwt owner": "owner",
    "user": "user",
    "jwt user": "user",
    "admin": "admin",
    "jwt admin": "admin",
    "worker": "worker",
    "jwt worker": "worker",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A route: its request, and the answer for each kind of caller with a valid token."""

    answers: Mapping[str, tuple[int, str | None]]
    body: Any = None


def row(*, owner: Any, user: Any, admin: Any, worker: Any = FORBIDDEN, body: Any = None) -> Row:
    return Row(answers={"owner": owner, "user": user, "admin": admin, "worker": worker}, body=body)


def people(answer: Any = OPEN, *, body: Any = None) -> Row:
    return row(owner=answer, user=answer, admin=answer, body=body)


def admins(answer: Any, *, body: Any = None) -> Row:
    return row(owner=FORBIDDEN, user=FORBIDDEN, admin=answer, body=body)


def workers(answer: Any = OPEN, *, body: Any) -> Row:
    return row(owner=FORBIDDEN, user=FORBIDDEN, admin=FORBIDDEN, worker=answer, body=body)


def owners(answer: Any, *, body: Any = None) -> Row:
    return row(owner=answer, user=FORBIDDEN, admin=answer, body=body)


PUBLIC = {
    ("GET", "/"),
    ("GET", "/console/{file}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", f"{BASE}/openapi.json"),
    ("GET", f"{BASE}/docs"),
    ("GET", f"{BASE}/docs/{{file}}"),
}
REPORT = dump_report(
    ProgressReport(
        attempt=1,
        claim_token=CLAIM_TOKEN,
        sequence=1,
        state=ReportedState.FAILED,
        error=ReportedError(code=Code.SOURCE_NOT_FOUND, detail="Gone."),
    )
)
# No registry, rule or token has this id.
UNUSED_ID = 2**40
# The image {id} belongs to the owner, and its import {name} is running; in other paths {id} is unused.
TABLE: dict[tuple[str, str], Row] = {
    ("GET", f"{BASE}/whoami"): row(owner=OPEN, user=OPEN, admin=OPEN, worker=OPEN),
    ("GET", f"{BASE}/images"): people(),
    ("GET", f"{BASE}/images/{{id}}"): people(),
    ("DELETE", f"{BASE}/images/{{id}}"): owners((502, "target_unreachable")),
    ("GET", f"{BASE}/images/{{id}}/importing-details"): people(),
    ("POST", f"{BASE}/images/{{id}}/importing:cancel"): owners(OPEN),
    ("POST", f"{BASE}/images/{{id}}/importing:retry"): owners((409, "import_not_retryable"), body={}),
    ("POST", f"{BASE}/images:import"): people((400, "validation_failed"), body={}),
    ("PUT", f"{BASE}/images:import/{{name}}/progress"): workers(body=REPORT),
    ("POST", f"{BASE}/images:import/{{name}}/begin"): workers((502, "target_unreachable"), body=CLAIM),
    ("POST", f"{BASE}/images:import/{{name}}/admit"): workers(body=CLAIM | {"bytes": 1}),
    ("GET", f"{BASE}/harbor/stats"): people(),
    ("GET", f"{BASE}/operations"): people(),
    ("GET", f"{BASE}/image-registries"): people(),
    ("POST", f"{BASE}/image-registries"): admins((400, "validation_failed"), body={}),
    ("GET", f"{BASE}/image-registries/{{id}}"): admins((404, "registry_not_found")),
    ("PATCH", f"{BASE}/image-registries/{{id}}"): admins((404, "registry_not_found"), body={}),
    ("DELETE", f"{BASE}/image-registries/{{id}}"): admins((404, "registry_not_found")),
    ("POST", f"{BASE}/image-registries/{{id}}:test"): people((404, "registry_not_found")),
    ("GET", f"{BASE}/import-rules"): people(),
    ("POST", f"{BASE}/import-rules"): admins((400, "validation_failed"), body={}),
    ("POST", f"{BASE}/import-rules:check"): people((400, "validation_failed"), body={}),
    ("GET", f"{BASE}/import-rules/{{id}}"): admins((404, "rule_not_found")),
    ("PATCH", f"{BASE}/import-rules/{{id}}"): admins((404, "rule_not_found"), body={}),
    ("DELETE", f"{BASE}/import-rules/{{id}}"): admins((404, "rule_not_found")),
    ("GET", f"{BASE}/audit"): admins(OPEN),
    ("GET", f"{BASE}/tokens"): people(),
    ("POST", f"{BASE}/tokens"): people((400, "validation_failed"), body={"description": 0}),
    ("DELETE", f"{BASE}/tokens/{{id}}"): people((404, "token_not_found")),
}


def test_every_route_has_its_row() -> None:
    """A new route needs an entry here with its roles."""
    routes = {(route.method, route.path) for route in ALL_ROUTES}
    assert routes == PUBLIC | TABLE.keys()
    assert {(route.method, route.path) for route in ALL_ROUTES if route.roles is None} == PUBLIC


def expected(place: Row, caller: str) -> tuple[int, str | None]:
    if caller in ("expired", "jwt expired"):
        return EXPIRED
    return place.answers[_ROLE_OF[caller]] if caller in _ROLE_OF else UNAUTHENTICATED


async def tokens(api: Api, issuer: Issuer) -> dict[str, str | None]:
    """Create a token for each caller; JWTs have the roles that the operator has mapped."""
    made: dict[str, str | None] = {
        "nobody": None,
        "bad": "lsh_" + 43 * "A",
        "expired": await api.token("owner", lifetime=-1),
        "revoked": await api.token("revoked", Role.ADMIN),
        "owner": await api.token("owner"),
        "user": await api.token("other"),
        "admin": await api.token("root", Role.ADMIN),
        "worker": await api.token("robot", Role.WORKER),
        "jwt owner": issuer.token("owner"),
        "jwt user": issuer.token("other"),
        "jwt admin": issuer.token("root", roles=["longshore-admin"]),
        "jwt worker": issuer.token("robot", roles=["longshore-worker"]),
        "jwt expired": issuer.token("owner", exp=1),
        "jwt bad": issuer.token("root", roles=["longshore-admin"], aud="another"),
    }
    await api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'revoked'")
    assert made.keys() == set(CALLERS)
    return made


async def prepare(api: Api, owner: str) -> dict[str, Any]:
    """Start a running import of the owner's image; no test contacts its source."""
    image_id = await api.value(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by)
        VALUES ('harbor.example.com', 'imports/app', '1.0', 'importing', 'docker.io/library/app:1.0', $1) RETURNING id
        """,
        owner,
    )
    await api.execute(
        """
        INSERT INTO imports (name, image_id, state, source, requested_by)
        VALUES ('app-1.0-bcdfghjkmn', $1, 'queued', 'docker.io/library/app:1.0', $2)
        """,
        image_id,
        owner,
    )
    await api.claim("app-1.0-bcdfghjkmn")
    await api.execute("UPDATE imports SET claim_token = $1", CLAIM_TOKEN)
    return {"id": image_id, "name": "app-1.0-bcdfghjkmn", "file": "start.js"}


@pytest.fixture
async def api(open_api: OpenApi, settings: Settings, issuer: Issuer) -> AsyncIterator[Api]:
    mapped = issuer.settings(worker_values=frozenset({"longshore-worker"}), user_claim="preferred_username")
    async with open_api(replace(settings, oidc=mapped), (*REQUESTS_ONLY, relay_part)) as api:
        yield api


async def knock(api: Api, route: tuple[str, str], token: str | None, names: Mapping[str, Any]) -> Answer:
    method, path = route
    body = TABLE[route].body if route in TABLE else None
    options = {} if body is None else {"json": body}
    if "/images/" not in path:
        names = {**names, "id": UNUSED_ID}
    return await api.call(method, path.format(**names), role=None, token=token, **options)


@pytest.mark.parametrize("route", TABLE, ids=" ".join)
async def test_a_route_is_open_to_those_in_its_row(api: Api, issuer: Issuer, route: tuple[str, str]) -> None:
    """Each caller starts from the same state: the owner's image with a running import."""
    made = await tokens(api, issuer)
    for caller in CALLERS:
        await api.execute("DELETE FROM images")
        names = await prepare(api, "owner")
        answer = await knock(api, route, made[caller], names)
        code = answer.body.get("code") if isinstance(answer.body, dict) and answer.status >= 400 else None
        assert (answer.status, code) == expected(TABLE[route], caller), (caller, answer)


@pytest.mark.parametrize("route", sorted(PUBLIC - {("GET", "/readyz")}), ids=" ".join)
async def test_a_public_route_needs_no_token(api: Api, issuer: Issuer, route: tuple[str, str]) -> None:
    """The API does not check a token there, not even an invalid one."""
    for token in (await tokens(api, issuer)).values():
        assert (await knock(api, route, token, {"file": "start.js"})).status == 200
