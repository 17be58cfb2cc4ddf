"""Stored source registries: permissions, storage, and secrets that are never returned."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from api_service.registries import stored_registries
from api_service.settings import Settings
from shared.model.roles import Role
from shared.model.sealed_account import open_stored
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import OpenApi

PATH = f"{BASE}/image-registries"
ACCOUNT = {"username": "puller", "password": "s3cret-of-quay"}


async def call(api: Api, method: str, registry_id: int | None = None, **options: Any) -> Answer:
    path = PATH if registry_id is None else f"{PATH}/{registry_id}"
    return await api.call(method, path, **{"role": Role.ADMIN, **options})


async def store(api: Api, name: str = "quay", url: str = "quay.io", **more: Any) -> Any:
    """Store a registry, which must be accepted, and return it."""
    answer = await call(api, "POST", json={"name": name, "url": url, **more})
    assert answer.status == 201, answer
    return answer.body


async def change(api: Api, registry_id: int, **more: Any) -> Answer:
    return await call(api, "PATCH", registry_id, json=more)


async def password_of(api: Api, settings: Settings, registry_id: int) -> str:
    row = "SELECT json_build_array(host, username, encode(password, 'escape')) FROM source_registries WHERE id = $1"
    host, username, sealed = json.loads(await api.value(row, registry_id))
    return open_stored(settings.secrets, sealed.encode(), host=host, username=username).password


def failing(answer: Answer) -> list[str]:
    return [field["field"] for field in answer.body["errors"]]


async def test_a_registry_is_stored_and_shown_without_its_password(api: Api, settings: Settings) -> None:
    answer = await call(api, "POST", json={"name": "quay", "url": "https://Quay.io/", **ACCOUNT})
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{answer.body['id']}")
    body = answer.body
    assert body == {
        "id": body["id"],
        "name": "quay",
        "url": "https://quay.io",
        "host": "quay.io",
        "username": "puller",
        "hasPassword": True,
        "isDefault": False,
        "access": None,
        "createdBy": "admin",
        "createdTime": body["createdTime"],
        "updatedTime": body["createdTime"],
    }
    assert (await call(api, "GET", body["id"])).body == body
    assert await password_of(api, settings, body["id"]) == ACCOUNT["password"]


async def test_everybody_sees_the_list_by_name(api: Api) -> None:
    """Users who import have to know the names of the registries."""
    await store(api, "zot", "zot.example.com")
    await store(api, "amber", "amber.example.com", **ACCOUNT)
    body = await api.get("/image-registries")
    assert body["totalCount"] == 2
    assert [registry["name"] for registry in body["registries"]] == ["amber", "zot"]
    assert [registry["hasPassword"] for registry in body["registries"]] == [True, False]
    assert ACCOUNT["password"] not in str(body)


@pytest.mark.parametrize("role", [Role.USER, Role.WORKER])
@pytest.mark.parametrize(("method", "one"), [("POST", False), ("GET", True), ("PATCH", True), ("DELETE", True)])
async def test_only_admins_manage_registries(api: Api, role: Role, method: str, *, one: bool) -> None:
    stored = await store(api)
    options: dict[str, Any] = {"json": {}} if method in ("POST", "PATCH") else {}
    answer = await call(api, method, stored["id"] if one else None, role=role, **options)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert (await call(api, "GET", stored["id"])).body == stored


async def test_a_worker_does_not_even_list(api: Api) -> None:
    assert (await call(api, "GET", role=Role.WORKER)).code == "forbidden"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("quay.io", "quay.io"),
        ("https://quay.io:443/", "quay.io"),
        ("quay.io:443", "quay.io"),
        ("https://registry.example.com:5000", "registry.example.com:5000"),
        ("registry-1.docker.io", "docker.io"),
        ("https://index.docker.io", "docker.io"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
async def test_an_address_is_kept_as_references_write_it(api: Api, url: str, host: str) -> None:
    """In lower case, Docker Hub under its one name, and without the scheme's default port."""
    assert (await store(api, url=url))["host"] == host


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://quay.io", "PLAIN_HTTP_HOSTS"),
        ("https://127.0.0.1:5000", "PLAIN_HTTP_HOSTS"),
        ("ftp://quay.io", "without a path"),
        ("https://quay.io/v2/", "without a path"),
        ("https://quay.io?a=b", "without a path"),
        ("quay.io/team", "not a registry address"),
        ("https://", "not a registry address"),
        ("https://[", "not an address"),
        ("quay.io:0", "not a port number"),
        ("[::::]", "is not"),
    ],
)
async def test_a_bad_address_is_refused_by_name(api: Api, url: str, reason: str) -> None:
    """One of them has another scheme than the one in use: an address must not promise TLS that is not used."""
    answer = await call(api, "POST", json={"name": "bad", "url": url})
    assert (answer.status, answer.code, failing(answer)) == (400, "validation_failed", ["url"])
    assert reason in answer.body["detail"]


async def test_an_account_in_an_address_is_refused_without_an_echo(api: Api) -> None:
    answer = await call(api, "POST", json={"name": "bad", "url": "https://puller:s3cret-of-quay@quay.io"})
    assert (answer.status, failing(answer)) == (400, ["url"])
    assert "s3cret" not in str(answer.body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "quay.io"}, "name"),
        ({"name": "quay"}, "url"),
        ({"name": "", "url": "quay.io"}, "name"),
        ({"name": "a b", "url": "quay.io"}, "name"),
        ({"name": "quay\n", "url": "quay.io"}, "name"),
        ({"name": 101 * "a", "url": "quay.io"}, "name"),
        ({"name": "quay", "url": "quay.io", "username": "puller"}, "password"),
        ({"name": "quay", "url": "quay.io", "password": "secret"}, "username"),
        ({"name": "quay", "url": "quay.io", "username": "puller", "password": ""}, "password"),
        ({"name": "quay", "url": "quay.io", "isDefault": 1}, "isDefault"),
        ({"name": "quay", "url": "quay.io", "hasPassword": True}, "hasPassword"),
    ],
)
async def test_a_bad_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    answer = await call(api, "POST", json=body)
    assert (answer.status, answer.code, failing(answer)) == (400, "validation_failed", [field])


@pytest.mark.parametrize("url", ["quay.io", "https://QUAY.io", "quay.io:443"])
async def test_an_address_is_stored_once(api: Api, url: str) -> None:
    """Two spellings of one address conflict."""
    stored = await store(api)
    answer = await call(api, "POST", json={"name": "again", "url": url})
    assert (answer.status, answer.code, failing(answer)) == (409, "registry_exists", ["url"])
    assert f"registry {stored['id']}" in answer.body["detail"]


async def test_a_name_is_stored_once(api: Api) -> None:
    await store(api)
    answer = await call(api, "POST", json={"name": "quay", "url": "other.example.com"})
    assert (answer.status, answer.code, failing(answer)) == (409, "registry_exists", ["name"])


async def test_equal_requests_at_once_store_one(api: Api) -> None:
    answers = await asyncio.gather(*(call(api, "POST", json={"name": "quay", "url": "quay.io"}) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] + 9 * [409]


async def test_there_is_a_limit_to_how_many(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_registries, "MAX_REGISTRIES", 2)
    for number in range(2):
        await store(api, f"r{number}", f"r{number}.example.com")
    answer = await call(api, "POST", json={"name": "r3", "url": "r3.example.com"})
    assert (answer.status, answer.code) == (409, "registry_limit_reached")


async def test_at_most_one_is_the_default(api: Api) -> None:
    """The newest request decides, whether it creates or changes a registry."""
    first = await store(api, isDefault=True)
    second = await store(api, "other", "other.example.com", isDefault=True)

    async def defaults() -> list[str]:
        registries = (await api.get("/image-registries"))["registries"]
        return [registry["name"] for registry in registries if registry["isDefault"]]

    assert await defaults() == ["other"]
    assert (await change(api, first["id"], isDefault=True)).body["isDefault"]
    assert await defaults() == ["quay"]
    await change(api, first["id"], name="quay2")
    assert await defaults() == ["quay2"]
    await change(api, second["id"], isDefault=False)
    assert await defaults() == ["quay2"]
    await change(api, first["id"], isDefault=False)
    assert await defaults() == []


async def test_defaults_set_at_once_leave_one(api: Api) -> None:
    stored = [await store(api, f"r{number}", f"r{number}.example.com") for number in range(5)]
    answers = await asyncio.gather(*(change(api, registry["id"], isDefault=True) for registry in stored))
    assert {answer.status for answer in answers} == {200}
    assert await api.value("SELECT count(*) FROM source_registries WHERE is_default") == 1


async def test_a_change_leaves_the_rest_as_it_is(api: Api, settings: Settings) -> None:
    stored = await store(api, **ACCOUNT)
    changed = (await change(api, stored["id"], name="quay.io")).body
    assert changed == {**stored, "name": "quay.io", "updatedTime": changed["updatedTime"]}
    assert changed["updatedTime"] > stored["updatedTime"]
    assert await password_of(api, settings, stored["id"]) == ACCOUNT["password"]


@pytest.mark.parametrize("same", [{}, {"name": "quay"}, {"url": "https://quay.io:443"}, {"isDefault": False}], ids=str)
async def test_a_change_to_what_is_there_changes_nothing(api: Api, same: dict[str, Any]) -> None:
    """Even the time of the last change stays: a client may send a PATCH twice."""
    stored = await store(api, name="quay", url="quay.io", username="puller", password="secret")
    assert (await change(api, stored["id"], **same)).body == stored


async def test_a_password_is_rotated_alone(api: Api, settings: Settings) -> None:
    stored = await store(api, **ACCOUNT)
    changed = (await change(api, stored["id"], password="new-secret")).body
    assert (changed["username"], changed["hasPassword"]) == ("puller", True)
    assert await password_of(api, settings, stored["id"]) == "new-secret"


async def test_an_account_is_replaced_and_removed_as_a_whole(api: Api, settings: Settings) -> None:
    stored = await store(api, **ACCOUNT)
    replaced = (await change(api, stored["id"], username="robot", password="new-secret")).body
    assert (replaced["username"], replaced["hasPassword"]) == ("robot", True)
    assert await password_of(api, settings, stored["id"]) == "new-secret"
    removed = (await change(api, stored["id"], username=None, password=None)).body
    assert (removed["username"], removed["hasPassword"]) == (None, False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "robot"}, "password"),
        ({"username": None}, "password"),
        ({"password": None}, "username"),
        ({"username": "robot", "password": None}, "username"),
        ({"username": None, "password": "secret"}, "username"),
        ({"name": None}, "name"),
        ({"url": None}, "url"),
        ({"isDefault": None}, "isDefault"),
        ({"id": 5}, "id"),
    ],
)
async def test_half_an_account_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    stored = await store(api, **ACCOUNT)
    answer = await call(api, "PATCH", stored["id"], json=body)
    assert (answer.status, answer.code, failing(answer)) == (400, "validation_failed", [field])
    assert (await call(api, "GET", stored["id"])).body == stored


async def test_a_password_needs_a_user_name(api: Api) -> None:
    stored = await store(api)
    answer = await change(api, stored["id"], password="secret")
    assert (answer.status, failing(answer)) == (400, ["username"])


async def test_a_password_does_not_move_to_another_address(api: Api, settings: Settings) -> None:
    """Otherwise an admin could change the address to a host of their own, which would receive the secret."""
    stored = await store(api, **ACCOUNT)
    answer = await change(api, stored["id"], url="evil.example.com")
    assert (answer.status, failing(answer)) == (400, ["password"])
    assert (await call(api, "GET", stored["id"])).body["host"] == "quay.io"
    assert (await change(api, stored["id"], url="https://quay.io")).status == 200
    moved = (await change(api, stored["id"], url="quay.example.com", password="new-secret")).body
    assert (moved["host"], moved["username"]) == ("quay.example.com", "puller")
    assert await password_of(api, settings, stored["id"]) == "new-secret"


async def test_a_change_meets_the_same_conflicts(api: Api) -> None:
    await store(api)
    other = await store(api, "other", "other.example.com")
    assert failing(await change(api, other["id"], name="quay")) == ["name"]
    assert failing(await change(api, other["id"], url="https://quay.io")) == ["url"]
    assert (await change(api, other["id"], name="other", url="other.example.com")).status == 200


async def test_a_deleted_registry_is_gone_with_its_account(api: Api) -> None:
    stored = await store(api, **ACCOUNT)
    answer = await call(api, "DELETE", stored["id"])
    assert (answer.status, answer.body) == (200, "")
    assert await api.value("SELECT count(*) FROM source_registries") == 0


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("registry_id", ["7", "0", "abc", "-1", 25 * "9"])
async def test_an_unknown_id_is_not_found(api: Api, method: str, registry_id: str) -> None:
    options: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
    answer = await api.call(method, f"{PATH}/{registry_id}", role=Role.ADMIN, **options)
    assert (answer.status, answer.code) == (404, "registry_not_found")


async def test_where_plain_http_is_not_allowed_https_is_said(api: Api, open_api: OpenApi, settings: Settings) -> None:
    """`url` is the address that Longshore calls."""
    stored = await store(api, "local", "127.0.0.1:5000")
    assert stored["url"] == "http://127.0.0.1:5000"
    strict = replace(settings.shared.source_network, plain_http=frozenset())
    async with open_api(replace(settings, shared=replace(settings.shared, source_network=strict))) as other:
        assert (await call(other, "GET", stored["id"])).body["url"] == "https://127.0.0.1:5000"
