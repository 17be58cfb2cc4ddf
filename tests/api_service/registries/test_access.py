"""The access list of a stored account: set, changed, removed, and seen by those whom it concerns."""

from typing import Any

import pytest

from shared.model.roles import Role
from tests.api_service.api import Answer, Api
from tests.api_service.registries.test_registries import ACCOUNT, call, change, failing, store

ACCESS = {"subjects": ["user:ada", "group:payments"], "repositories": ["team/**"], "targets": ["{group}/**"]}


async def listed(api: Api, **options: Any) -> Any:
    """Return the one registry of the list."""
    registries = (await api.get("/image-registries", **options))["registries"]
    assert len(registries) == 1
    return registries[0]


async def post(api: Api, access: Any) -> Answer:
    return await call(api, "POST", json={"name": "quay", "url": "quay.io", "access": access})


async def test_a_list_is_stored_replaced_and_removed(api: Api) -> None:
    """Null removes it; a change of anything else leaves it."""
    stored = await store(api, **ACCOUNT, access=ACCESS)
    assert stored["access"] == ACCESS
    assert (await call(api, "GET", stored["id"])).body == stored
    assert (await change(api, stored["id"], name="quay2")).body["access"] == ACCESS
    other = {"subjects": ["everybody"], "repositories": ["**"], "targets": ["a/b"]}
    assert (await change(api, stored["id"], access=other)).body["access"] == other
    assert (await change(api, stored["id"], access=None)).body["access"] is None
    assert (await call(api, "GET", stored["id"])).body["access"] is None


async def test_without_a_list_there_is_none(api: Api) -> None:
    assert (await store(api, **ACCOUNT))["access"] is None
    assert (await store(api, "other", "other.example.com", access=None))["access"] is None


async def test_an_equal_list_changes_nothing(api: Api) -> None:
    stored = await store(api, **ACCOUNT, access=ACCESS)
    assert (await change(api, stored["id"], access=ACCESS)).body == stored


async def test_a_user_name_is_shown_to_those_who_may_use_the_account(api: Api) -> None:
    """Others see that there is an account, as before, and neither its name nor its list."""
    stored = await store(api, **ACCOUNT, access=ACCESS)
    assert await listed(api, role=Role.ADMIN) == stored
    ada = await listed(api, token=await api.token("ada"))
    assert (ada["username"], ada["access"]) == ("puller", {**ACCESS, "subjects": ["user:ada"]})
    eve = await listed(api, token=await api.token("eve"))
    assert (eve["username"], eve["access"], eve["hasPassword"]) == (None, None, True)
    await change(api, stored["id"], access=None)
    assert (await listed(api, token=await api.token("ada")))["username"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subjects", []),
        ("subjects", ["ada"]),
        ("subjects", ["user:"]),
        ("subjects", ["group: payments"]),
        ("subjects", ["user:a\nb"]),
        ("subjects", [f"user:{256 * 'a'}"]),
        ("subjects", 101 * ["everybody"]),
        ("subjects", "everybody"),
        ("subjects", None),
        ("repositories", ["team/**x"]),
        ("repositories", ["{user}/**"]),
        ("repositories", [""]),
        ("repositories", ["Team"]),
        ("targets", ["{source}"]),
        ("targets", ["{defaultProject}/**"]),
        ("targets", ["a?"]),
        ("targets", []),
    ],
)
async def test_a_bad_entry_is_refused_by_name(api: Api, field: str, value: Any) -> None:
    answer = await post(api, {**ACCESS, field: value})
    assert (answer.status, answer.code) == (400, "validation_failed")
    assert [name for name in failing(answer) if name.startswith(f"access.{field}")], answer
    assert await api.value("SELECT count(*) FROM source_registries") == 0


@pytest.mark.parametrize("access", [{}, [], "everybody", {**ACCESS, "more": 1}, {"subjects": ["everybody"]}])
async def test_half_a_list_is_refused(api: Api, access: Any) -> None:
    answer = await post(api, access)
    assert (answer.status, answer.code) == (400, "validation_failed")
    stored = await store(api, access=ACCESS)
    assert (await change(api, stored["id"], access=access)).status == 400
    assert (await call(api, "GET", stored["id"])).body == stored
