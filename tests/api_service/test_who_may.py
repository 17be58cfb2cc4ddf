"""Every operation with every caller and relation: the table of `who_may`, against the running API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api_service.parts import readiness_part, relay_part
from api_service.routes import ALL_ROUTES
from api_service.rules.keys import RULE_BOOK
from api_service.settings import Settings
from deploy.local.stack import Registry, Remote, synthetic_image
from shared.model.roles import Role
from shared.target.settings import TargetSettings
from tests.api_service.api import Answer, Api
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi, Source
from tests.api_service.who_may import (
    ADMIN,
    CALLERS,
    CLAIM_TOKEN,
    NONE,
    OWNER,
    REACHED,
    TABLE,
    USERS,
    WORKER,
    Outcome,
    Row,
)

CASES = [(endpoint, relation) for endpoint, operation in TABLE.items() for relation in operation.rows]
NAME = "app-1.0-bcdfghjkmn"
DIGEST = "sha256:" + 64 * "a"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An API in front of a real target, a token for each caller, a spare one of `owner`, and a source that exists."""

    api: Api
    tokens: dict[str, str | None]
    source: str
    spare: int

    async def set(self) -> dict[str, str]:
        """Create the image of `owner` with a running import, a stored registry, and the rules; return their names."""
        api = self.api
        await api.execute("TRUNCATE images, imports, import_layers, outbox, source_registries, import_rules CASCADE")
        host = self.source.partition("/")[0]
        rules = (
            "INSERT INTO import_rules (name, subjects, sources, targets, created_by) VALUES ($1, $2, $3, $4, 'root')"
        )
        reaching = [f"user:{OWNER}", f"user:{REACHED}"]
        rule_id = await api.value(
            f"{rules} RETURNING id", "team", reaching, [f"{host}/**"], ["teams/**", "{defaultProject}/**"]
        )
        await api.execute(rules, "others", ["user:other"], ["**"], ["others/**"])
        api.client.app[RULE_BOOK].forget()
        image_id = await api.value(
            """
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, digest, source_digest,
                                source_private)
            VALUES ('harbor.example.com', 'teams/app', '1.0', 'ready', $1, $2, $3, $3, true) RETURNING id
            """,
            self.source,
            OWNER,
            DIGEST,
        )
        await api.execute(
            """
            INSERT INTO imports (name, image_id, state, source, requested_by, with_account)
            VALUES ($1, $2, 'queued', $3, $4, true)
            """,
            NAME,
            image_id,
            self.source,
            OWNER,
        )
        await api.claim(NAME)
        await api.execute("UPDATE imports SET claim_token = $1 WHERE name = $2", CLAIM_TOKEN, NAME)
        registry_id = await api.value(
            """
            INSERT INTO source_registries (name, host, created_by) VALUES ('mirror', 'mirror.example.com', 'root')
            RETURNING id
            """
        )
        await api.execute("UPDATE api_tokens SET revoked_at = NULL WHERE id = $1", self.spare)
        objects = {"image-registries": str(registry_id), "import-rules": str(rule_id), "tokens": str(self.spare)}
        return {"id": str(image_id), "name": NAME, "file": "start.js", **objects}

    async def call(self, endpoint: str, row: Row, caller: str, names: dict[str, str], method: str = "") -> Answer:
        known, path = endpoint.split(" ")
        if kind := next((kind for kind in ("image-registries", "import-rules", "tokens") if kind in path), None):
            names = names | {"id": names[kind]}
        body = row.body
        if isinstance(body, dict) and body.get("source") == "{source}":
            body = body | {"source": self.source}
        options: dict[str, Any] = {} if body is None else {"json": body}
        path = path.format(**{**names, **row.path}) + row.query
        return await self.api.call(method or known, path, role=None, token=self.tokens[caller], **options)


@pytest.fixture
async def scene(
    open_api: OpenApi, settings: Settings, target_registry: Registry, source: Source, repository: str
) -> AsyncIterator[Scene]:
    source.push(repository)
    await asyncio.to_thread(Remote.of(target_registry).push, "teams/foreign", "1.0", synthetic_image("foreign", [100]))
    target = TargetSettings(host=target_registry.host, credential=None)
    at_target = replace(settings, shared=replace(settings.shared, target=target))
    async with open_api(at_target, (*REQUESTS_ONLY, relay_part, readiness_part)) as api:
        tokens: dict[str, str | None] = {user: await api.token(user) for user in USERS}
        tokens |= {ADMIN: await api.token("root", Role.ADMIN), WORKER: await api.token("robot", Role.WORKER)}
        tokens |= {NONE: None, "expired": await api.token("late", Role.ADMIN, lifetime=-1)}
        tokens |= {"revoked": await api.token("revoked", Role.ADMIN)}
        await api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'revoked'")
        assert tokens.keys() == set(CALLERS)
        await api.token(OWNER)
        spare = await api.value("SELECT max(id) FROM api_tokens")
        yield Scene(api=api, tokens=tokens, source=f"{source.host}/{repository}:1.0", spare=spare)


def outcome(answer: Answer) -> Outcome:
    return answer.status, answer.code if answer.status >= 400 else None


def test_every_operation_has_its_rows() -> None:
    """A new route needs an entry in `who_may`, with the answer for each caller."""
    assert TABLE.keys() == {f"{route.method} {route.path}" for route in ALL_ROUTES}
    for endpoint, operation in TABLE.items():
        assert operation.rows, endpoint
        for each in operation.rows.values():
            assert each.outcomes.keys() == set(CALLERS), endpoint


def test_the_table_agrees_with_the_roles_of_the_routes() -> None:
    """A caller whose role a route does not have is always refused as `forbidden`; others never for their role alone."""
    for route in ALL_ROUTES:
        for relation, each in TABLE[f"{route.method} {route.path}"].rows.items():
            for caller, (status, code) in each.outcomes.items():
                role = {ADMIN: Role.ADMIN, WORKER: Role.WORKER}.get(caller, Role.USER)
                if caller in (*USERS, ADMIN, WORKER) and route.roles is not None and role not in route.roles:
                    assert (status, code) == (403, "forbidden"), (route.path, relation, caller)
                if caller not in (*USERS, ADMIN, WORKER):
                    assert (status == 401) == (route.roles is not None), (route.path, relation, caller)


@pytest.mark.parametrize(("endpoint", "relation"), CASES, ids=map(": ".join, CASES))
async def test_each_caller_gets_the_answer_of_the_table(scene: Scene, endpoint: str, relation: str) -> None:
    """Each caller starts from the same state."""
    if endpoint == "GET /readyz":
        pytest.skip("answers by the state of its parts: tests/api_service/status/test_readiness.py")
    row = TABLE[endpoint].rows[relation]
    for caller in CALLERS:
        names = await scene.set()
        if row.setup:
            await scene.api.execute(row.setup)
            scene.api.client.app[RULE_BOOK].forget()
        answer = await scene.call(endpoint, row, caller, names)
        assert outcome(answer) == row.outcomes[caller], (caller, answer.body)


READS = [case for case in CASES if case[0].startswith("GET ") and case[0] != "GET /readyz"]


@pytest.mark.parametrize(("endpoint", "relation"), READS, ids=map(": ".join, READS))
async def test_head_is_answered_as_get(scene: Scene, endpoint: str, relation: str) -> None:
    """With the same status for each caller, and a body for none."""
    row = TABLE[endpoint].rows[relation]
    names = await scene.set()
    for caller in CALLERS:
        answer = await scene.call(endpoint, row, caller, names, "HEAD")
        assert answer.status == row.outcomes[caller][0], caller
        assert answer.body == ""


@pytest.mark.parametrize("endpoint", [name for name, operation in TABLE.items() if operation.content])
async def test_content_is_hidden_from_others_alone(scene: Scene, endpoint: str) -> None:
    """What the document calls `hidden`; `tests/api_service/images/test_visibility.py` has the rules in full."""
    names = await scene.set()
    await scene.api.execute(
        """
        INSERT INTO import_layers (import_id, position, digest, size, byte_offset, status)
        SELECT id, 0, $1, 1000, 0, 'pending' FROM imports
        """,
        DIGEST,
    )
    for caller in (*USERS, ADMIN):
        answer = await scene.call(endpoint, next(iter(TABLE[endpoint].rows.values())), caller, names)
        assert (DIGEST in str(answer.body)) == (caller != "other"), (caller, answer.body)


@pytest.mark.parametrize(
    "endpoint", [name for name, operation in TABLE.items() if {"managed", "unmanaged"} <= operation.rows.keys()]
)
async def test_a_refusal_does_not_show_whether_an_object_exists(scene: Scene, endpoint: str) -> None:
    """A caller who may not read an object gets one answer for every id. Lists have images and registries."""
    rows = TABLE[endpoint].rows
    for caller in CALLERS:
        managed, unmanaged = rows["managed"].outcomes[caller], rows["unmanaged"].outcomes[caller]
        listed = caller in USERS and ("/images/{id}" in endpoint or endpoint.endswith("/image-registries/{id}:test"))
        assert managed == unmanaged or managed[0] < 400 or listed, (endpoint, caller)
