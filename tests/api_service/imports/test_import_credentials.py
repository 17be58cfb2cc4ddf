"""The account with which an import reads its source, and the default registry."""

from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.images.synthetic import synthetic_image
from deploy.local.stack import Registry, Remote
from shared.model.roles import Role
from shared.model.sealed_account import open_account
from shared.oci.engine_image import parse_source
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import Source
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry

FOR_ALL = {"subjects": ["everybody"], "repositories": ["**"], "targets": ["**"]}


@pytest.fixture
def private(source_registry: Registry, repository: str) -> str:
    """An image in a real registry that requires an account."""
    Remote.of(source_registry).push(repository, "1.0", synthetic_image(repository, [10], platforms=("linux/amd64",)))
    return f"{source_registry.host}/{repository}:1.0"


def account(registry: Registry) -> dict[str, str]:
    return {"username": str(registry.username), "password": str(registry.password)}


async def store(api: Api, name: str, host: str, **more: Any) -> int:
    """Store a registry, whose account every user may use unless the test says otherwise, and return its id."""
    body = {"name": name, "url": host, "access": FOR_ALL, **more}
    answer = await api.call("POST", f"{BASE}/image-registries", role=Role.ADMIN, json=body)
    assert answer.status == 201, answer
    registry_id: int = answer.body["id"]
    return registry_id


async def claimed_account(api: Api, settings: Settings, started: Any) -> Any:
    """Return the account that is stored for the source."""
    source = await api.value("SELECT source FROM imports WHERE name = $1", started["name"])
    sealed = await api.sealed_account(started["name"])
    opened = open_account(settings.secrets, sealed, host=parse_source(source).registry)
    return {"username": opened.username, "password": opened.password} if opened else None


def refused(answer: Answer, sentence: str) -> None:
    assert (answer.status, answer.code, answer.body["state"]) == (400, "validation_failed", 0), answer
    assert [field["field"] for field in answer.body["errors"]] == ["credentials"]
    assert sentence in answer.body["detail"]


async def test_a_stored_account_is_used_without_being_asked_for(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    assert (await api.post_import({"source": private})).code == "source_denied"
    await store(api, "internal", source_registry.host, **account(source_registry))
    started = await api.start({"source": private})
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_a_stored_account_is_used_by_name(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    await store(api, "internal", source_registry.host, **account(source_registry))
    started = await api.start({"source": private, "credentials": "internal"})
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_a_given_account_goes_before_the_stored_one(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    await store(api, "internal", source_registry.host, username="nobody", password="wrong")
    assert (await api.post_import({"source": private})).code == "source_denied"
    started = await api.start({"source": private, "credentials": account(source_registry)})
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_an_account_is_kept_as_it_was_when_the_import_started(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    """A rotation or a deletion does not affect imports under way."""
    registry_id = await store(api, "internal", source_registry.host, **account(source_registry))
    started = await api.start({"source": private})
    path = f"{BASE}/image-registries/{registry_id}"
    assert (await api.call("PATCH", path, role=Role.ADMIN, json={"password": "rotated"})).status == 200
    assert (await api.call("DELETE", path, role=Role.ADMIN)).status == 200
    assert await claimed_account(api, settings, started) == account(source_registry)


async def test_a_name_that_is_not_stored_is_refused(api: Api, image_source: str) -> None:
    refused(await api.post_import({"source": image_source, "credentials": "nowhere"}), "nowhere")


async def test_a_stored_account_is_not_sent_to_another_host(
    api: Api, hostile: HostileRegistry, source_registry: Registry
) -> None:
    """This holds with and without the stored registry's name in the request."""
    await store(api, "internal", source_registry.host, **account(source_registry), isDefault=True)
    source = f"{hostile.host}/app:1.0"
    answer = await api.post_import({"source": source, "credentials": "internal"})
    refused(answer, f"{source_registry.host}; its account is not for {hostile.host}")
    assert hostile.asked == []
    hostile.on("HEAD", "/v2/app/manifests/1.0", Scripted(status=401, headers={"WWW-Authenticate": "Basic"}))
    assert (await api.post_import({"source": source})).code == "source_denied"
    assert hostile.asked
    assert not [asked for asked in hostile.asked if "authorization" in asked.headers]


async def test_a_registry_stored_without_an_account_has_none_to_name(api: Api, source: Source, repository: str) -> None:
    source.push(repository)
    await store(api, "open", source.host)
    body = {"source": f"{source.host}/{repository}:1.0"}
    refused(await api.post_import({**body, "credentials": "open"}), "without an account")
    assert await api.sealed_account((await api.start(body))["name"]) is None


async def test_the_default_registry_is_meant_where_none_is_named(api: Api, source: Source, repository: str) -> None:
    """It replaces Docker Hub."""
    source.push(repository)
    await store(api, "ours", source.host, isDefault=True)
    started = await api.start({"source": f"{repository}:1.0"})
    assert (await api.get(f"/images/{started['imageId']}"))["source"] == f"{source.host}/{repository}:1.0"


async def test_the_default_registry_has_no_library(api: Api, source: Source, repository: str) -> None:
    """Only Docker Hub has the names without an owner below `library/`."""
    name = repository.replace("/", "-")
    source.push(name)
    await store(api, "ours", source.host, isDefault=True)
    started = await api.start({"source": f"{name}:1.0"})
    assert (await api.get(f"/images/{started['imageId']}"))["source"] == f"{source.host}/{name}:1.0"


async def test_docker_hub_as_the_default_keeps_its_library(api: Api) -> None:
    await store(api, "hub", "docker.io", isDefault=True)
    answer = await api.post_import({"source": "app:1.0"})
    assert "library/app:1.0" in answer.body["detail"]


async def test_the_default_registrys_account_comes_with_it(
    api: Api, settings: Settings, source_registry: Registry, private: str
) -> None:
    await store(api, "internal", source_registry.host, **account(source_registry), isDefault=True)
    started = await api.start({"source": private.partition("/")[2]})
    assert await claimed_account(api, settings, started) == account(source_registry)


@pytest.mark.parametrize("field", ["source", "sourceRegistry"])
async def test_a_named_registry_goes_before_the_default_one(
    api: Api, source: Source, repository: str, field: str
) -> None:
    source.push(repository)
    await store(api, "elsewhere", "127.0.0.1:1", isDefault=True)
    named = {"source": f"{source.host}/{repository}:1.0"}
    put_in_front = {"source": f"{repository}:1.0", "sourceRegistry": source.host}
    started = await api.start(named if field == "source" else put_in_front)
    assert (await api.get(f"/images/{started['imageId']}"))["source"] == f"{source.host}/{repository}:1.0"


async def test_an_account_that_no_key_opens_is_an_error(api: Api, source_registry: Registry, private: str) -> None:
    """A service with other keys must not fall back to anonymous access."""
    registry_id = await store(api, "internal", source_registry.host, **account(source_registry))
    await api.execute("UPDATE source_registries SET password = 'x' WHERE id = $1", registry_id)
    answer = await api.post_import({"source": private})
    assert (answer.status, answer.code, answer.body["state"]) == (503, "credentials_unreadable", 0)


@pytest.mark.parametrize("credentials", ["", "a b", "a:b", 101 * "a", 5, ["internal"]])
async def test_what_is_neither_a_name_nor_an_account_is_refused(api: Api, credentials: Any) -> None:
    answer = await api.post_import({"source": "127.0.0.1:1/app", "credentials": credentials})
    assert (answer.status, answer.code) == (400, "validation_failed")
    assert [field["field"] for field in answer.body["errors"]] == ["credentials"]
