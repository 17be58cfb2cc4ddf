"""Import rules through the API, as an admin manages them."""

from typing import Any

from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api

PATH = f"{BASE}/import-rules"
# The rule that tests start with.
PERMISSIVE_ID = 1
VALUES = {"subjects": ["everybody"], "sources": ["**"], "targets": ["**"]}


async def call(api: Api, method: str, rule_id: int | str | None = None, **options: Any) -> Answer:
    path = PATH if rule_id is None else f"{PATH}/{rule_id}"
    return await api.call(method, path, **{"role": Role.ADMIN, **options})


async def create(api: Api, name: str = "team-a", **more: Any) -> Any:
    """Create a rule, which must be accepted, and return it."""
    answer = await call(api, "POST", json={"name": name, **VALUES, **more})
    assert answer.status == 201, answer
    return answer.body


async def create_alone(api: Api, name: str = "team-a", **more: Any) -> Any:
    """Create a rule, and delete the one that allows everything."""
    created = await create(api, name, **more)
    assert (await call(api, "DELETE", PERMISSIVE_ID)).status == 200
    return created
