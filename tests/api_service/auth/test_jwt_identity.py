"""Users of an identity provider are `iss` and `sub`; the name is for display, and proves nothing."""

import time
from dataclasses import replace
from typing import Any

import pytest

from api_service.auth.identity import MAX_GROUP_LENGTH, MAX_GROUPS, MAX_SUBJECT_LENGTH, MAX_USER_LENGTH
from api_service.auth.jwt_claims import check_claims, identity_of
from api_service.rules.subjects import check_subject
from api_service.settings import Settings
from shared.errors.error import LongshoreError
from shared.model.owner import Owner
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.auth.oidc_issuer import Issuer, answer_to, refusal
from tests.api_service.conftest import OpenApi

ISSUER = Issuer(url="http://127.0.0.1:1")
CHANGES = (("DELETE", ""), ("POST", "/importing:cancel"), ("POST", "/importing:retry"))


async def refused_changes(api: Api, image_id: int, token: str) -> list[str]:
    """Return the codes of all requests that change an image."""
    paths = [(method, f"{BASE}/images/{image_id}{path}") for method, path in CHANGES]
    answers = [await api.call(method, path, token=token, json={}) for method, path in paths]
    return [answer.code for answer in answers]


async def test_users_with_one_name_share_nothing(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    """Also a user of an API token, who has the name as its subject, is another user."""
    owner = issuer.token("ada", sub="s-1")
    started = await jwt_api.start({"source": image_source}, token=owner)
    namesakes = (issuer.token("ada", sub="s-2"), issuer.token("s-1", sub="ada"), await jwt_api.token("ada"))
    for namesake in (*namesakes, await jwt_api.token("s-1")):
        assert await refused_changes(jwt_api, started["imageId"], namesake) == 3 * ["forbidden"]
    answer = await jwt_api.call("POST", f"{BASE}/images/{started['imageId']}/importing:cancel", token=owner)
    assert answer.status == 200


async def test_a_namesake_is_named_as_another_user(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    started = await jwt_api.start({"source": image_source}, token=issuer.token("ada", sub="s-1"))
    cancel = f"{BASE}/images/{started['imageId']}/importing:cancel"
    answer = await jwt_api.call("POST", cancel, token=issuer.token("ada", sub="s-2"))
    assert "belongs to another user named ada" in answer.body["detail"]


async def test_a_user_who_takes_a_colleagues_name_gets_nothing(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    """A name can be changed at the identity provider; the user keeps his own images and gets no other's."""
    ada, eve = issuer.token("ada", sub="s-1"), issuer.token("eve", sub="s-2")
    theirs = await jwt_api.start({"source": image_source}, token=ada)
    own = await jwt_api.start({"source": image_source, "target": "imports/eves:1"}, token=eve)
    renamed = issuer.token("ada", sub="s-2")
    assert await refused_changes(jwt_api, theirs["imageId"], renamed) == 3 * ["forbidden"]
    cancel = f"{BASE}/images/{own['imageId']}/importing:cancel"
    assert (await jwt_api.call("POST", cancel, token=renamed)).status == 200


async def test_an_image_keeps_its_owner_and_an_import_its_requester(
    jwt_api: Api, issuer: Issuer, image_source: str
) -> None:
    token = issuer.token("ada", sub="s-1", groups=["team-b", "team-a"])
    started = await jwt_api.start({"source": image_source}, token=token)
    assert (await jwt_api.get(f"/images/{started['imageId']}"))["userName"] == "ada"
    owner = "SELECT owner_issuer || ' ' || owner_subject || ' ' || created_by FROM images WHERE id = $1"
    assert await jwt_api.value(owner, started["imageId"]) == f"{issuer.url} s-1 ada"
    requester = """
        SELECT concat_ws(' ', requester_issuer, requester_subject, requester_role, requester_groups::text, requested_by)
        FROM imports WHERE image_id = $1
    """
    assert await jwt_api.value(requester, started["imageId"]) == f"{issuer.url} s-1 user {{team-a,team-b}} ada"


async def test_an_admins_retry_leaves_the_owner(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    owner, admin = issuer.token("ada", sub="s-1"), issuer.token("root", sub="s-2", roles=["longshore-admin"])
    started = await jwt_api.start({"source": image_source}, token=owner)
    path = f"{BASE}/images/{started['imageId']}/importing"
    assert (await jwt_api.call("POST", f"{path}:cancel", token=owner)).status == 200
    assert (await jwt_api.call("POST", f"{path}:retry", token=admin, json={})).status == 200
    assert (await jwt_api.call("POST", f"{path}:cancel", token=owner)).status == 200


async def test_a_name_of_an_admins_api_token_gives_no_role(jwt_api: Api, issuer: Issuer) -> None:
    """Names and subjects are compared with nothing that gives a role."""
    await jwt_api.token("root", Role.ADMIN)
    for token in (issuer.token("root", sub="s-1"), issuer.token("x", sub="root")):
        assert (await jwt_api.get("/whoami", token=token))["role"] == "user"
        assert (await jwt_api.call("GET", f"{BASE}/tokens?all=true", token=token)).code == "forbidden"


async def test_the_claim_of_the_setting_names_users_as_before(
    open_api: OpenApi, settings: Settings, issuer: Issuer, image_source: str
) -> None:
    """With OIDC_USER_CLAIM a JWT and API tokens of one name are one user, without an issuer."""
    async with open_api(replace(settings, oidc=issuer.settings(user_claim="email"))) as api:
        token = issuer.token("x", email="ada@example.com")
        whoami = await api.get("/whoami", token=token)
        assert (whoami["issuer"], whoami["subject"], whoami["userName"]) == ("", "ada@example.com", "ada@example.com")
        started = await api.start({"source": image_source}, token=token)
        cancel = f"{BASE}/images/{started['imageId']}/importing:cancel"
        assert (await api.call("POST", cancel, token=issuer.token("x", sub="other"))).code == "forbidden"
        assert (await api.call("POST", cancel, token=await api.token("ada@example.com"))).status == 200


@pytest.mark.parametrize(
    "subject",
    [
        "auth0|5f7c",
        "project_path:group/app:ref_type:branch:ref:main",
        "with spaces",
        "a/b/../c",
        "ädä",
        MAX_SUBJECT_LENGTH * "a",
    ],
)
async def test_any_printable_subject_is_a_user(jwt_api: Api, issuer: Issuer, image_source: str, subject: str) -> None:
    """Without a name, the subject is shown, cut where it is longer than a name can be."""
    token = issuer.token(sub=subject, preferred_username=None)
    whoami = await jwt_api.get("/whoami", token=token)
    assert (whoami["issuer"], whoami["subject"]) == (issuer.url, subject)
    cut = subject[: MAX_USER_LENGTH - 1] + "…"
    assert whoami["userName"] == (subject if len(subject) <= MAX_USER_LENGTH else cut)
    started = await jwt_api.start({"source": image_source}, token=token)
    near = issuer.token(sub=f"{subject[:-1]}b", preferred_username=None)
    assert await refused_changes(jwt_api, started["imageId"], near) == 3 * ["forbidden"]


@pytest.mark.parametrize("subject", [None, "", 7, ["s-1"], {"a": 1}, "a\0b", "a\nb", "a\u202eb", 2000 * "a"], ids=repr)
async def test_a_subject_that_identifies_no_user_is_refused(jwt_api: Api, issuer: Issuer, subject: object) -> None:
    assert await refusal(jwt_api, issuer.token("ada", sub=subject)) == "unauthenticated"


def test_no_issuer_is_ever_empty() -> None:
    """An empty issuer is Longshore's own, whose users are named by API tokens."""
    with pytest.raises(ValueError, match="issuer"):
        replace(ISSUER.settings(), issuer="")
    for claim in ("", None, " ", ISSUER.url + "/", ISSUER.url.upper()):
        with pytest.raises(LongshoreError, match="another issuer"):
            check_claims(ISSUER.claims(iss=claim), ISSUER.settings(), time.time())
    assert identity_of(ISSUER.claims("root"), ISSUER.settings()).owner == Owner(
        issuer=ISSUER.url, subject="sub-of-root"
    )


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"lifetime": 3600}, True),
        ({"lifetime": 3601}, False),
        ({"lifetime": 3600, "iat": None}, True),
        ({"lifetime": 3660, "iat": None}, False),
        ({"lifetime": 300, "age": 3600}, False),
        ({"lifetime": 10**12}, False),
        ({"lifetime": 10**12, "iat": None}, False),
    ],
)
async def test_a_token_that_lives_too_long_is_refused(
    open_api: OpenApi, settings: Settings, issuer: Issuer, claims: dict[str, Any], accepted: bool
) -> None:
    """A JWT cannot be revoked. The lifetime counts from `iat`, or from now on without it."""
    now = int(time.time())
    changes = {"exp": now + claims["lifetime"], "iat": now - claims.get("age", 0)}
    if "iat" in claims:
        changes["iat"] = None
    async with open_api(replace(settings, oidc=issuer.settings(max_token=3600))) as api:
        answer = await answer_to(api, issuer.token(**changes))
    assert answer.status == (200 if accepted else 401)
    if not accepted:
        assert answer.code == "unauthenticated"
        assert "3600 are allowed (OIDC_MAX_TOKEN_SECONDS)" in answer.body["detail"]


@pytest.mark.parametrize(
    ("path", "claims", "groups"),
    [
        (None, {"groups": ["a"]}, []),
        ("groups", {}, []),
        ("groups", {"groups": ["b", "a", "b"]}, ["a", "b"]),
        ("groups", {"groups": "one"}, ["one"]),
        ("groups", {"groups": "a b,c"}, ["a b,c"]),
        ("team.groups", {"team": {"groups": ["a"]}}, ["a"]),
        ("https://a.b/groups", {"https://a.b/groups": ["a"]}, ["a"]),
        ("groups", {"groups": [["a"], {"b": 1}, 1, None, True, "c"]}, ["c"]),
        ("groups", {"groups": {"a": ["b"]}}, []),
        ("groups", {"groups": ["", "a\0b", "a\nb", 256 * "a", "/team/a"]}, ["/team/a"]),
        ("groups", {"groups": ["user:admin", "everybody", "group:x", "a,b", "*"]}, 5),
        ("groups", {"groups": [f"g{number}" for number in range(MAX_GROUPS)]}, MAX_GROUPS),
    ],
)
def test_groups_are_the_texts_of_the_claim(path: str | None, claims: dict[str, Any], groups: list[str] | int) -> None:
    """A value that can be no group's name is left out: it cannot stand in a rule."""
    found = identity_of(ISSUER.claims(**claims), ISSUER.settings(groups_claim=path)).groups
    assert (len(found) if isinstance(groups, int) else sorted(found)) == groups


def test_more_groups_than_a_token_may_have_are_refused() -> None:
    """Leaving some out would refuse imports for no reason that the user could see."""
    many = [f"g{number}" for number in range(10_000)]
    with pytest.raises(LongshoreError, match="It names 10000 groups"):
        identity_of(ISSUER.claims(groups=many), ISSUER.settings())


def test_the_name_is_the_preferred_one_or_the_subject() -> None:
    """`name` and `email` are not used: they say more than a list needs, or change."""
    named = identity_of(ISSUER.claims("ada", name="Ada L.", email="ada@example.com"), ISSUER.settings())
    unnamed = identity_of(
        ISSUER.claims(preferred_username=None, sub="s-1", name="Ada L.", email="ada@example.com"), ISSUER.settings()
    )
    assert (named.user, unnamed.user) == ("ada", "s-1")


def test_a_rule_can_name_any_subject_and_group() -> None:
    """A longer text is no subject of any user, and no group of any."""
    for prefix, longest in (("user:", MAX_SUBJECT_LENGTH), ("group:", MAX_GROUP_LENGTH)):
        check_subject(prefix + longest * "a")
        with pytest.raises(ValueError, match="printable"):
            check_subject(prefix + (longest + 1) * "a")
