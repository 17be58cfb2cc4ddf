"""Sources on the workers' Docker Engine: which users may name them, and how the API treats the names."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_service.imports.source.docker import DockerPolicy
from api_service.settings import Settings
from shared.db import imports
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.conftest import OpenApi

SOURCE = {"source": "docker-daemon:team/app:1.0"}


@pytest.fixture
async def admins_api(open_api: OpenApi, settings: Settings) -> AsyncIterator[Api]:
    async with open_api(replace(settings, docker_source=DockerPolicy.ADMINS)) as api:
        yield api


async def test_engines_are_off_unless_turned_on(api: Api) -> None:
    """No registry's credentials protect an engine's images, so the operator has to decide."""
    for role in (Role.USER, Role.ADMIN):
        answer = await api.post_import(SOURCE, role=role)
        assert (answer.status, answer.code) == (403, "docker_source_disabled")
        assert "DOCKER_SOURCE" in answer.body["hint"]


async def test_admins_may_and_users_may_not(admins_api: Api) -> None:
    """The setting `admins`."""
    assert (await admins_api.post_import(SOURCE, role=Role.USER)).code == "docker_source_disabled"
    assert (await admins_api.post_import(SOURCE, role=Role.ADMIN)).body["state"] == 1


async def test_users_may_if_the_operator_allows_it(open_api: OpenApi, settings: Settings) -> None:
    """The setting `users`."""
    async with open_api(replace(settings, docker_source=DockerPolicy.USERS)) as api:
        assert (await api.post_import(SOURCE)).body["state"] == 1


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("app", "docker-daemon:app:latest", "imports/docker-daemon/app"),
        ("docker.io/library/app", "docker-daemon:app:latest", "imports/docker-daemon/app"),
        ("team/app:1.0", "docker-daemon:team/app:1.0", "imports/docker-daemon/team/app"),
        ("localhost:5000/app:1.0", "docker-daemon:localhost:5000/app:1.0", "imports/docker-daemon/localhost-5000/app"),
    ],
)
async def test_a_name_becomes_an_import_without_a_digest(admins_api: Api, name: str, source: str, target: str) -> None:
    """The source is stored as Docker shows the name; only the worker can resolve it."""
    answer = await admins_api.post_import({"source": f"docker-daemon:{name}"}, role=Role.ADMIN)
    async with admins_api.database.connection() as connection:
        queued = await imports.latest_import(connection, answer.body["imageId"])
    image = await admins_api.call("GET", f"{BASE}/images/{answer.body['imageId']}")
    assert queued is not None
    assert (queued.source, queued.source_digest) == (source, None)
    assert (image.body["repo"], image.body["imageTag"]) == (target, source.rpartition(":")[2])


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        ({"source": "docker-daemon:"}, "reference_malformed", "NAME[:TAG]"),
        ({"source": "docker-daemon:UPPER"}, "reference_malformed", "not a repository name"),
        ({"source": f"docker-daemon:app@sha256:{64 * 'a'}"}, "reference_malformed", "by tag, not by digest"),
        ({"source": f"docker-daemon:{64 * 'a'}"}, "reference_malformed", "image id"),
        ({"source": "docker-daemon:../../etc:1"}, "reference_malformed", "cannot be read"),
        ({**SOURCE, "sourceRegistry": "quay.io"}, "source_registry_conflict", "in no registry"),
        ({**SOURCE, "credentials": {"username": "a", "password": "b"}}, "validation_failed", "credentials"),
        ({**SOURCE, "dryRun": True}, "validation_failed", "dryRun"),
    ],
)
async def test_fields_that_an_engine_has_no_use_for_are_refused(
    admins_api: Api, more: dict[str, object], code: str, reason: str
) -> None:
    """The error names the field of the request."""
    answer = await admins_api.post_import(more, role=Role.ADMIN)
    assert (answer.status, answer.code) == (400, code)
    assert reason in answer.body["detail"]


async def test_a_second_request_joins_the_first(admins_api: Api) -> None:
    """The names are equal; the digests are unknown."""
    first = await admins_api.post_import(SOURCE, role=Role.ADMIN)
    second = await admins_api.post_import(SOURCE, role=Role.ADMIN)
    assert first.body["imageId"] == second.body["imageId"]
    assert first.body["name"] == second.body["name"]
