"""/tokens: users create, list and revoke their own tokens."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_service.auth.identity import MAX_GROUPS
from api_service.auth.token_lookup import KEPT_FOR
from api_service.settings import Settings
from api_service.tokens.api_tokens import ENDED_KEPT, MAX_TOKENS
from shared.db.access.tokens import NewToken, insert_token
from shared.model.owner import Owner
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.api_service.conftest import OpenApi

PATH = f"{BASE}/tokens"


async def post(api: Api, body: object | None = None, **options: Any) -> Answer:
    return await api.call("POST", PATH, json={} if body is None else body, **options)


async def made(api: Api, body: object | None = None, **options: Any) -> Any:
    answer = await post(api, body, **options)
    assert answer.status == 201, answer
    return answer.body


async def revoke(api: Api, token_id: int, **options: Any) -> Answer:
    return await api.call("DELETE", f"{PATH}/{token_id}", **options)


async def listed(api: Api, query: str = "", **options: Any) -> list[Any]:
    page = await api.get(f"/tokens{query}", **options)
    tokens: list[Any] = page["tokens"]
    assert page["totalCount"] == len(tokens)
    return tokens


async def long_lived(api: Api, user: str, role: Role = Role.USER, *, days: float | None = None, **more: Any) -> str:
    """Create a token as the operator's command does."""
    new = NewToken(user=user, owner=Owner(subject=user), role=role, lifetime=days and days * 86_400, **more)
    async with api.database.connection() as connection:
        return (await insert_token(connection, new)).secret


def left(token: Any) -> timedelta:
    return datetime.fromisoformat(token["expiresTime"]) - datetime.now(UTC)


async def test_a_user_makes_a_token_that_is_shown_once(api: Api) -> None:
    created = await made(api, {"description": "the pipeline of team-a"})
    secret = created.pop("token")
    assert secret.startswith("lsh_")
    (own,) = [token for token in await listed(api) if token["id"] == created["id"]]
    assert own == created
    assert (own["userName"], own["role"], own["state"]) == ("user", "user", "valid")
    assert (own["description"], own["createdBy"], own["lastUsedTime"]) == ("the pipeline of team-a", "user", None)
    assert secret not in str(await api.get("/tokens", role=Role.ADMIN)) + str(await listed(api))
    assert secret not in await api.value("SELECT string_agg(api_tokens::text, ' ') FROM api_tokens")
    whoami = await api.get("/whoami", token=secret)
    assert (whoami["userName"], whoami["role"], whoami["tokenId"]) == ("user", "user", created["id"])
    assert whoami["expiresTime"] == created["expiresTime"]


async def test_a_token_has_the_makers_identity_role_and_groups(jwt_api: Api, issuer: Issuer) -> None:
    """The groups are a copy: the token keeps them when the identity provider takes them away."""
    jwt = issuer.token("ada", sub="s-1", groups=["team-a", "team-b"], roles=["longshore-admin"])
    created = await made(jwt_api, token=jwt)
    assert (created["issuer"], created["subject"], created["userName"]) == (issuer.url, "s-1", "ada")
    assert (created["role"], created["groups"]) == ("admin", ["team-a", "team-b"])
    whoami = await jwt_api.get("/whoami", token=created["token"])
    assert (whoami["issuer"], whoami["subject"], whoami["groups"]) == (issuer.url, "s-1", ["team-a", "team-b"])
    later = issuer.token("ada", sub="s-1")
    assert [token["id"] for token in await listed(jwt_api, token=later)] == [created["id"]]
    assert (await jwt_api.get("/whoami", token=later))["groups"] == []


async def test_a_token_owns_the_images_of_its_maker(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    """A pipeline's token changes what its maker imported, and the maker what the pipeline imported."""
    jwt = issuer.token("ada", sub="s-1")
    secret = (await made(jwt_api, token=jwt))["token"]
    started = await jwt_api.start({"source": image_source}, token=secret)
    cancel = f"{BASE}/images/{started['imageId']}/importing:cancel"
    namesake = await jwt_api.token("ada")
    assert (await jwt_api.call("POST", cancel, token=namesake)).code == "forbidden"
    assert (await jwt_api.call("POST", cancel, token=jwt)).status == 200


async def test_tokens_expire_by_default(open_api: OpenApi, settings: Settings) -> None:
    """The setting is the default, and the longest lifetime of one's own token, for admins, too."""
    async with open_api(replace(settings, token_days=30)) as api:
        assert timedelta(days=29) < left(await made(api)) <= timedelta(days=30)
        assert timedelta(days=6) < left(await made(api, {"expiresInDays": 7})) <= timedelta(days=7)
        for role in (Role.USER, Role.ADMIN):
            answer = await post(api, {"expiresInDays": 31}, role=role)
            assert answer.code == "validation_failed"
            assert answer.body["errors"] == [{"field": "expiresInDays", "message": "At most 30 days (API_TOKEN_DAYS)."}]
    assert settings.token_days == 90


async def test_a_token_of_a_token_ends_with_it(api: Api) -> None:
    """Otherwise a stolen token could renew itself without an end."""
    secret = await long_lived(api, "ada", days=2)
    child = await made(api, {"expiresInDays": 90}, token=secret)
    grandchild = await made(api, {"expiresInDays": 90}, token=child["token"])
    (maker,) = [token for token in await listed(api, token=secret) if token["current"]]
    assert maker["expiresTime"] == child["expiresTime"] == grandchild["expiresTime"]


async def test_a_revoked_token_takes_those_that_it_made_with_it(api: Api) -> None:
    secret = await long_lived(api, "ada")
    child = await made(api, token=secret)
    grandchild = await made(api, token=child["token"])
    other = await made(api, token=await long_lived(api, "ada"))
    root = (await api.get("/whoami", token=secret))["tokenId"]
    assert (await revoke(api, root, token=other["token"])).status == 200
    await asyncio.sleep(KEPT_FOR)
    for ended in (secret, child["token"], grandchild["token"]):
        assert (await api.call("GET", PATH, token=ended)).code == "unauthenticated"
    states = {token["id"]: token["state"] for token in await listed(api, token=other["token"])}
    assert states[other["id"]] == "valid"
    assert [states[each] for each in (root, child["id"], grandchild["id"])] == 3 * ["revoked"]


async def test_a_token_that_was_just_revoked_makes_no_other(api: Api) -> None:
    """Requests use it for up to a second longer, from the cache; a new token would outlive the revocation."""
    secret = await long_lived(api, "ada")
    await api.get("/whoami", token=secret)
    await api.execute("UPDATE api_tokens SET revoked_at = now() WHERE user_name = 'ada'")
    assert (await post(api, token=secret)).code == "unauthenticated"
    assert await api.value("SELECT count(*) FROM api_tokens WHERE user_name = 'ada'") == 1


async def test_no_token_is_made_while_its_maker_is_revoked(api: Api) -> None:
    """Whatever the order, no valid token of a revoked one remains."""
    secrets = [await long_lived(api, f"ada{number}") for number in range(10)]
    ids = [(await api.get("/whoami", token=secret))["tokenId"] for secret in secrets]
    creations = [post(api, token=secret) for secret in secrets for _ in range(3)]
    revocations = [revoke(api, token_id, role=Role.ADMIN) for token_id in ids]
    answers = await asyncio.gather(*(call for pair in zip(creations[:10], revocations, strict=True) for call in pair))
    answers += await asyncio.gather(*creations[10:])
    assert {answer.status for answer in answers} <= {200, 201, 401}
    assert await api.value("SELECT count(*) FROM api_tokens WHERE user_name LIKE 'ada%' AND revoked_at IS NULL") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"role": "admin"},
        {"userName": "another"},
        {"userName": "user"},
        {"userName": "admin", "role": "user"},
        {"groups": ["payments"]},
        {"groups": []},
    ],
)
async def test_a_user_gives_no_more_than_he_has(api: Api, body: dict[str, Any]) -> None:
    assert (await post(api, body)).code == "forbidden"


async def test_workers_make_no_tokens_and_are_not_made(api: Api) -> None:
    """A worker reads the accounts of imports; an admin who could make its token could read them, too."""
    assert (await post(api, role=Role.WORKER)).code == "forbidden"
    assert (await api.call("GET", PATH, role=Role.WORKER)).code == "forbidden"
    assert (await revoke(api, 1, role=Role.WORKER)).code == "forbidden"
    for role in (Role.USER, Role.ADMIN):
        assert (await post(api, {"role": "worker"}, role=role)).code == "validation_failed"


async def test_an_admin_makes_a_weaker_token_of_his_own(api: Api) -> None:
    created = await made(api, {"role": "user", "groups": ["team-a"]}, role=Role.ADMIN)
    assert (created["userName"], created["role"], created["groups"]) == ("admin", "user", ["team-a"])
    assert (await post(api, {"role": "admin"}, token=created["token"])).code == "forbidden"


async def test_an_admin_makes_tokens_of_other_users(jwt_api: Api, issuer: Issuer) -> None:
    """They belong to users that only API tokens name, and do not end with the admin's own token."""
    api = jwt_api
    secret = await long_lived(api, "root", Role.ADMIN, days=1)
    body = {"userName": "ci", "groups": ["team-a"], "expiresInDays": 3650}
    created = await made(api, body, token=secret)
    assert (created["issuer"], created["subject"], created["userName"]) == ("", "ci", "ci")
    assert (created["role"], created["groups"], created["createdBy"]) == ("user", ["team-a"], "root")
    assert left(created) > timedelta(days=3600)
    root = (await api.get("/whoami", token=secret))["tokenId"]
    await revoke(api, root, role=Role.ADMIN)
    await asyncio.sleep(KEPT_FOR)
    assert (await api.get("/whoami", token=created["token"]))["userName"] == "ci"
    admin = issuer.token("ada", roles=["longshore-admin"])
    namesake = await made(api, {"userName": "ada"}, token=admin)
    assert (namesake["issuer"], namesake["subject"], namesake["role"]) == ("", "ada", "user")


async def test_others_tokens_do_not_exist_for_a_user(jwt_api: Api, issuer: Issuer) -> None:
    """The answer is the same as for an id that no token has, so that ids reveal nothing; a namesake is another user."""
    api = jwt_api
    theirs = await made(api, token=issuer.token("ada", sub="s-1"))
    for stranger in (issuer.token("ada", sub="s-2"), await api.token("ada"), await api.token("s-1")):
        answer = await revoke(api, theirs["id"], token=stranger)
        unknown = await revoke(api, 987_654, token=stranger)
        assert (answer.status, answer.code) == (unknown.status, unknown.code) == (404, "token_not_found")
        assert answer.body["detail"].replace(str(theirs["id"]), "N") == unknown.body["detail"].replace("987654", "N")
        assert theirs["id"] not in [token["id"] for token in await listed(api, token=stranger)]
        assert theirs["id"] not in [token["id"] for token in await listed(api, "?userName=ada", token=stranger)]
        assert (await api.call("GET", f"{PATH}?all=true", token=stranger)).code == "forbidden"
    assert (await revoke(api, theirs["id"], token=issuer.token("renamed", sub="s-1"))).status == 200


async def test_an_id_that_is_no_id_is_not_found(api: Api) -> None:
    for text in ("x", "0", "-1", "99999999999999999999", "1%00"):
        assert (await api.call("DELETE", f"{PATH}/{text}")).code == "token_not_found"


async def test_an_admin_sees_and_revokes_all_tokens(api: Api) -> None:
    created = await made(api)
    own = await listed(api, role=Role.ADMIN)
    assert [token["userName"] for token in own] == ["admin"]
    everybody = await listed(api, "?all=true", role=Role.ADMIN)
    assert [token["id"] for token in everybody] == sorted((token["id"] for token in everybody), reverse=True)
    assert {token["userName"] for token in everybody} == {"user", "admin", "worker"}
    assert (await revoke(api, created["id"], role=Role.ADMIN)).status == 200
    assert (await revoke(api, created["id"], role=Role.ADMIN)).status == 200
    of_user = await listed(api, "?all=true&userName=user&state=revoked", role=Role.ADMIN)
    assert [token["id"] for token in of_user] == [created["id"]]
    assert of_user[0]["revokedTime"] is not None
    page = await api.get("/tokens?all=true&page_size=2&page_num=1", role=Role.ADMIN)
    assert [page["totalCount"], len(page["tokens"])] == [len(everybody), 2]
    assert page["tokens"][0]["id"] == everybody[2]["id"]
    assert (await api.get("/tokens?page_num=9"))["tokens"] == []


async def test_an_old_token_without_an_end_keeps_working_and_is_seen(api: Api) -> None:
    """Tokens of older releases have no expiry; the list shows it, and the last use."""
    secret = await api.token("ada")
    (old,) = await listed(api, token=secret)
    assert (old["expiresTime"], old["state"], old["current"], old["createdBy"]) == (None, "valid", True, None)
    await asyncio.sleep(KEPT_FOR)
    (used,) = await listed(api, token=secret)
    assert used["lastUsedTime"] is not None


async def test_50_creations_at_once_never_pass_the_limit(api: Api) -> None:
    secret = await long_lived(api, "ada")
    for _ in range(MAX_TOKENS - 6):
        await long_lived(api, "ada")
    answers = await asyncio.gather(*(post(api, token=secret) for _ in range(50)))
    assert [answer.status for answer in answers].count(201) == 5
    # The database may be too slow for all at once on a busy machine.
    assert {answer.code for answer in answers if answer.status != 201} <= {
        "token_limit_reached",
        "database_unavailable",
    }
    assert await api.value("SELECT count(*) FROM api_tokens WHERE user_name = 'ada'") == MAX_TOKENS
    (newest, *_) = [answer.body["id"] for answer in answers if answer.status == 201]
    await revoke(api, newest, token=secret)
    assert (await post(api, token=secret)).status == 201


async def test_ended_tokens_do_not_fill_the_database(api: Api) -> None:
    """Creating and revoking again and again leaves a limited number of rows."""
    secret = await long_lived(api, "ada")
    for _ in range(ENDED_KEPT + 5):
        await long_lived(api, "ada", days=-1)
    await made(api, token=secret)
    assert await api.value("SELECT count(*) FROM api_tokens WHERE user_name = 'ada'") == ENDED_KEPT + 2
    assert (await api.get("/whoami", token=secret))["userName"] == "ada"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"description": 201 * "a"}, "description"),
        ({"description": "a\nb"}, "description"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": -1}, "expiresInDays"),
        ({"expiresInDays": 1.5}, "expiresInDays"),
        ({"expiresInDays": 10**15}, "expiresInDays"),
        ({"expiresInDays": None}, "expiresInDays"),
        ({"userName": ""}, "userName"),
        ({"userName": " ada"}, "userName"),
        ({"userName": 129 * "a"}, "userName"),
        ({"userName": "a\u202eb"}, "userName"),
        ({"role": "king"}, "role"),
        ({"groups": [""]}, "groups.0"),
        ({"groups": ["a\tb"]}, "groups.0"),
        ({"groups": [f"g{number}" for number in range(MAX_GROUPS + 1)]}, "groups"),
        ({"groups": "payments"}, "groups"),
        ({"days": 3}, "days"),
        ({"issuer": "https://id.example.com"}, "issuer"),
        ({"subject": "s-1"}, "subject"),
    ],
)
async def test_a_bad_value_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    answer = await post(api, body, role=Role.ADMIN)
    assert answer.code == "validation_failed"
    assert field in [error["field"] for error in answer.body["errors"]]


async def test_group_names_are_names_and_nothing_else(api: Api) -> None:
    """Commas, prefixes and quotes are part of the name."""
    groups = ["a,b", "user:admin", "everybody", "group:x", '{"a"}', "NULL", "*"]
    created = await made(api, {"userName": "ci", "groups": groups}, role=Role.ADMIN)
    assert created["groups"] == sorted(groups)
    assert (await api.get("/whoami", token=created["token"]))["groups"] == sorted(groups)


@pytest.mark.parametrize("query", ["?all=1", "?state=old", "?page_size=201", "?page_num=-1", "?userName=", "?x=1"])
async def test_a_bad_parameter_is_refused(api: Api, query: str) -> None:
    assert (await api.call("GET", f"{PATH}{query}", role=Role.ADMIN)).code == "validation_failed"
