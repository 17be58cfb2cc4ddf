"""/import-rules: who sees and changes rules, how they are checked, and when a change counts."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from api_service.auth.identity import Identity
from api_service.rules import stored_rules
from api_service.rules.rule_book import RuleBook
from api_service.rules.stored_rules import StoredRules
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.rules.manage import PATH, PERMISSIVE_ID, VALUES, call, create, create_alone

SOURCE = "127.0.0.1:1/team/app:1.0"


def failing(answer: Answer) -> list[str]:
    assert answer.status == 400, answer
    return [field["field"] for field in answer.body["errors"]]


async def test_a_rule_is_created_and_shown(api: Api) -> None:
    given = {
        "name": "Team A",
        "subjects": ["group:team-a", "user:ci"],
        "sources": ["docker.io/**", "quay.io/team-a/*"],
        "targets": ["team-a/**", "{user}/**"],
        "createProjects": True,
        "overwriteForeignTags": True,
        "maxImageBytes": 10**12,
        "maxOpenImports": 5,
        "maxBytesPerMonth": 2**62,
        "weight": 100,
    }
    answer = await call(api, "POST", json=given)
    body = answer.body
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{body['id']}")
    assert body == {
        **given,
        "id": body["id"],
        "createdBy": "admin",
        "createdTime": body["createdTime"],
        "updatedTime": body["createdTime"],
        "usage": None,
    }
    assert (await call(api, "GET", body["id"])).body == body
    assert (await call(api, "GET")).body["rules"][-1] == body


async def test_what_is_left_out_grants_nothing_and_limits_nothing(api: Api) -> None:
    created = await create(api)
    assert (created["createdBy"], created["createProjects"], created["overwriteForeignTags"]) == ("admin", False, False)
    assert [created[name] for name in ("maxImageBytes", "maxOpenImports", "maxBytesPerMonth")] == [None, None, None]
    assert created["weight"] == 1


@pytest.mark.parametrize("role", [Role.USER, Role.WORKER, None])
@pytest.mark.parametrize(("method", "one"), [("POST", False), ("GET", True), ("PATCH", True), ("DELETE", True)])
async def test_only_admins_manage_rules(api: Api, role: Role | None, method: str, *, one: bool) -> None:
    body = {} if method == "GET" else {"json": {"name": "mine", **VALUES}}
    answer = await call(api, method, PERMISSIVE_ID if one else None, role=role, **body)
    assert answer.status == (403 if role else 401)
    assert (await call(api, "GET")).body["totalCount"] == 1


async def test_workers_see_no_rules(api: Api) -> None:
    assert (await call(api, "GET", role=Role.WORKER)).status == 403


async def test_users_see_the_rules_that_apply_to_them_and_of_subjects_the_own_ones(api: Api) -> None:
    await create_alone(api, "for bob", subjects=["user:bob"])
    await create(api, "for alice", subjects=["user:carol", "user:alice", "group:x"])
    await create(api, "for all", subjects=["user:bob", "everybody"])
    body = await api.get("/import-rules", token=await api.token("alice"))
    assert body["totalCount"] == 2
    assert [(rule["name"], rule["subjects"]) for rule in body["rules"]] == [
        ("for alice", ["user:alice"]),
        ("for all", ["everybody"]),
    ]
    assert {rule["createdBy"] for rule in body["rules"]} == {""}
    for hidden in ("bob", "carol", "group:x"):
        assert hidden not in str(body)


async def test_users_see_the_rules_of_their_groups(api: Api) -> None:
    await create_alone(api, "for groups", subjects=["group:x", "group:ops", "group:secret"])
    ada = Identity(user="ada", role=Role.USER, issuer="https://idp", subject="f1c5", groups=frozenset({"ops", "y"}))
    rules = StoredRules(database=api.database, book=RuleBook(api.database))
    assert [shown.stored.rule.subjects for shown in await rules.list_for(ada)] == [("group:ops",)]
    assert await rules.list_for(replace(ada, groups=frozenset({"op"}))) == []


async def test_users_see_the_own_usage_of_each_limit(api: Api) -> None:
    rule = await create(api, maxOpenImports=3, maxBytesPerMonth=1000)
    for user, used in (("user", 250), ("bob", 900)):
        month = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
        await api.execute(f"INSERT INTO import_usage VALUES ($1, '', $2, {month}, $3)", rule["id"], user, used)
    await api.execute("INSERT INTO import_usage VALUES ($1, '', 'user', '2020-01-01', 77)", rule["id"])
    rules = (await api.get("/import-rules"))["rules"]
    usage = next(each["usage"] for each in rules if each["id"] == rule["id"])
    assert (usage["openImports"], usage["monthBytes"]) == (0, 250)
    assert usage["renewsTime"].endswith("-01T00:00:00.000Z")
    assert {each["usage"] for each in (await api.get("/import-rules", role=Role.ADMIN))["rules"]} == {None}


async def test_a_change_changes_what_it_names(api: Api) -> None:
    created = await create(api, maxOpenImports=5, maxImageBytes=7, createProjects=True)
    changed = (await call(api, "PATCH", created["id"], json={"sources": ["quay.io/**"], "maxOpenImports": None})).body
    expected = {**created, "sources": ["quay.io/**"], "maxOpenImports": None, "updatedTime": changed["updatedTime"]}
    assert changed == expected
    assert changed["updatedTime"] > created["updatedTime"]
    assert (await call(api, "PATCH", created["id"], json={})).body == changed


async def test_names_are_unique(api: Api) -> None:
    created, other = await create(api, "one"), await create(api, "two")
    again = await call(api, "POST", json={"name": "one", **VALUES})
    assert (again.status, again.code, failing_names(again)) == (409, "rule_exists", ["name"])
    renamed = await call(api, "PATCH", other["id"], json={"name": "one"})
    assert (renamed.status, renamed.code) == (409, "rule_exists")
    assert (await call(api, "PATCH", created["id"], json={"name": "one", "createProjects": True})).status == 200


def failing_names(answer: Answer) -> list[str]:
    return [field["field"] for field in answer.body["errors"]]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", ""),
        ({"name": " x"}, "name", "blank"),
        ({"name": "a\nb"}, "name", ""),
        ({"subjects": []}, "subjects", ""),
        ({"subjects": ["alice"]}, "subjects.0", "user:NAME"),
        ({"subjects": ["everybody", "user:"]}, "subjects.1", "user:"),
        ({"subjects": ["group: x"]}, "subjects.0", "blanks"),
        ({"sources": ["**", "quay.io/Team/**"]}, "sources.1", "'Team'"),
        ({"sources": ["quay.io"]}, "sources.0", "'quay.io/**'"),
        ({"sources": ["{user}/**"]}, "sources.0", "{user}"),
        ({"sources": ["**"] * 51}, "sources", "50"),
        ({"targets": ["{team}/**"]}, "targets.0", "{team}"),
        ({"targets": ["{user}*/**"]}, "targets.0", "'{user}*'"),
        ({"targets": "team/**"}, "targets", ""),
        ({"maxImageBytes": 0}, "maxImageBytes", "1"),
        ({"maxOpenImports": 2**31}, "maxOpenImports", ""),
        ({"maxBytesPerMonth": "1000"}, "maxBytesPerMonth", ""),
        ({"weight": 0}, "weight", "1"),
        ({"weight": 101}, "weight", "100"),
        ({"weight": None}, "weight", ""),
        ({"createProjects": 1}, "createProjects", ""),
        ({"deny": ["**"]}, "deny", ""),
    ],
)
async def test_a_mistake_is_refused_with_its_field_and_pattern(
    api: Api, change: dict[str, Any], field: str, words: str
) -> None:
    created = await create(api)
    for method, rule_id, body in (("POST", None, {"name": "x", **VALUES, **change}), ("PATCH", created["id"], change)):
        answer = await call(api, method, rule_id, json=body)
        assert failing(answer) == [field]
        assert words in answer.body["errors"][0]["message"]
    assert (await call(api, "GET", created["id"])).body == created


@pytest.mark.parametrize("missing", ["name", "subjects", "sources", "targets"])
async def test_a_new_rule_needs_its_lists(api: Api, missing: str) -> None:
    body = {name: value for name, value in {"name": "x", **VALUES}.items() if name != missing}
    assert failing(await call(api, "POST", json=body)) == [missing]


@pytest.mark.parametrize("rule_id", ["99", "x", "9" * 30])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_rule_that_is_not_there(api: Api, method: str, rule_id: str) -> None:
    answer = await call(api, method, rule_id, **({"json": {}} if method == "PATCH" else {}))
    assert (answer.status, answer.code) == (404, "rule_not_found")


async def test_the_number_of_rules_has_a_limit_that_holds_for_many_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rules, "MAX_RULES", 4)
    bodies = [{"name": f"rule {number}", **VALUES} for number in range(10)]
    answers = await asyncio.gather(*(call(api, "POST", json=body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [409] * 7
    assert {answer.code for answer in answers if answer.status == 409} == {"rule_limit_reached"}


async def test_the_largest_rule_fits_into_a_request(api: Api) -> None:
    sources = [f"quay.io/{number:02}/{'x' * 240}" for number in range(50)]
    targets = [f"team/{number:02}/{'x' * 240}" for number in range(50)]
    subjects = [f"group:{number:03}{'x' * 200}" for number in range(100)]
    created = await create(api, sources=sources, targets=targets, subjects=subjects)
    assert (created["sources"], created["targets"], created["subjects"]) == (sources, targets, subjects)


async def test_a_deleted_or_changed_rule_counts_for_the_next_request(api: Api, image_source: str) -> None:
    body = {"source": image_source, "target": "team/app:1.0"}
    rule = await create_alone(api, targets=["team/**"])
    await api.start(body)
    await call(api, "PATCH", rule["id"], json={"targets": ["other/**"]})
    refused = await api.post_import(body | {"target": "team/two:1.0"})
    assert (refused.status, refused.code) == (403, "target_not_allowed")
    await call(api, "DELETE", rule["id"])
    refused = await api.post_import(body | {"target": "other/two:1.0"})
    assert (refused.status, refused.code) == (403, "source_not_allowed")


async def test_a_check_says_which_rule_allows_an_import_and_asks_no_registry(api: Api) -> None:
    """Nothing listens at the source and the target."""
    rule = await create_alone(api, sources=["127.0.0.1:1/**"], targets=["team/**"])
    allowed = await check(api, source=SOURCE, target="team/app:1.0")
    assert (allowed["allowed"], allowed["ruleId"], allowed["code"], allowed["hint"]) == (True, rule["id"], "", "")
    assert (allowed["source"], allowed["target"]) == ("127.0.0.1:1/team/app", "team/app:1.0")
    assert [each["reason"] for each in allowed["rules"]] == ["It allows the import."]
    refused = await check(api, source=SOURCE, target="prod/app:1.0")
    assert (refused["allowed"], refused["ruleId"], refused["code"]) == (False, None, "target_not_allowed")
    assert "allowed targets: team/**" in refused["message"]
    assert "Ask an administrator" in refused["hint"]
    assert "team/**" in refused["rules"][0]["reason"]


async def test_admins_check_the_rules_for_others(api: Api) -> None:
    await create_alone(api, subjects=["group:ops"], targets=["{user}/**"])
    body = {"source": SOURCE, "target": "dora/app:1.0"}
    own = await check(api, role=Role.ADMIN, **body)
    assert (own["allowed"], own["ruleId"], own["message"]) == (True, None, "Admins need no import rule.")
    assert (await check(api, role=Role.ADMIN, **body, user="dora", groups=["ops"]))["allowed"] is True
    assert (await check(api, role=Role.ADMIN, **body, user="dora"))["code"] == "source_not_allowed"
    assert (await check(api, role=Role.ADMIN, **body, user="eve", groups=["ops"]))["code"] == "target_not_allowed"
    answer = await api.call("POST", f"{PATH}:check", json=body | {"user": "dora"})
    assert (answer.status, answer.code) == (403, "forbidden")


async def check(api: Api, *, role: Role = Role.USER, **body: Any) -> Any:
    answer = await api.call("POST", f"{BASE}/import-rules:check", json=body, role=role)
    assert answer.status == 200, answer
    return answer.body
