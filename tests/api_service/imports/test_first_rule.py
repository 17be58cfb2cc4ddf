"""The rule of a new installation: everybody may import any source to the name that Longshore derives."""

from collections.abc import Iterator

import pytest

from deploy.local.permissive_rule import FIRST_RULE_ALONE
from deploy.local.stack import Postgres
from tests.api_service.api import Api
from tests.api_service.conftest import Source
from tests.conftest import TEMPLATE

RULE_OF_NEWEST = "SELECT rule_id FROM imports ORDER BY id DESC LIMIT 1"


@pytest.fixture
def database_url(postgres: Postgres, repository: str) -> Iterator[str]:
    name = f"first_{repository.rpartition('/')[2]}"
    url = postgres.create_database(name, template=TEMPLATE)
    postgres.execute(FIRST_RULE_ALONE, database=name)
    yield url
    postgres.drop_database(name)


async def test_everybody_may_import_to_the_derived_name(api: Api, image_source: str) -> None:
    rules = (await api.get("/import-rules"))["rules"]
    assert [(rule["name"], rule["subjects"], rule["sources"], rule["targets"]) for rule in rules] == [
        ("everybody", ["everybody"], ["**"], ["{defaultProject}/{source}"])
    ]
    assert (rules[0]["createProjects"], rules[0]["overwriteForeignTags"]) == (True, False)
    await api.start({"source": image_source})
    assert await api.value(RULE_OF_NEWEST) == rules[0]["id"]


async def test_the_tag_of_a_derived_name_is_free(api: Api, source: Source, image_source: str, repository: str) -> None:
    name = f"imports/{source.host.replace(':', '-')}/{repository}"
    await api.start({"source": image_source, "target": f"{name}:mine"})


@pytest.mark.parametrize("target", ["prod/app:1.0", "imports/docker.io/library/postgres:17", "imports/app:1"])
async def test_everybody_may_import_to_no_other_name(api: Api, image_source: str, target: str) -> None:
    refused = await api.post_import({"source": image_source, "target": target})
    assert (refused.status, refused.code) == (403, "target_not_allowed")
    assert await api.value("SELECT count(*) FROM images") == 0
