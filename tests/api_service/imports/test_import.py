"""Imports that start, join another import, or find the image in the target."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.images.synthetic import synthetic_image
from deploy.local.stack import Registry, Remote
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.roles import Role
from shared.target.settings import TargetSettings
from tests.api_service.api import Api
from tests.api_service.conftest import OpenApi, Source
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry, error

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "/v2/app/manifests/1.0"


@pytest.fixture
async def target() -> AsyncIterator[HostileRegistry]:
    """A target that answers as the test says."""
    async with HostileRegistry() as registry:
        yield registry


@pytest.fixture
def settings(settings: Settings, target: HostileRegistry) -> Settings:
    return replace(settings, shared=replace(settings.shared, target=TargetSettings(host=target.host, credential=None)))


async def finish(api: Api, name: str, target: HostileRegistry | None = None) -> str:
    """Claim the import and report it ready, as a worker does; return its path in the target, which then serves it."""
    claimed = await api.claim(name)
    digest = claimed.source_digest or "sha256:" + 64 * "0"
    content = ImageContent(
        source_digest=digest,
        digest=digest,
        size=1500,
        architecture="amd64",
        os="linux",
        platforms=("linux/amd64",),
        include_type="partial" if claimed.platforms else "full",
    )
    report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.READY, content=content)
    assert (await api.report(name, report)).status == 200
    path = f"/v2/{claimed.repository}/manifests/{claimed.tag}"
    if target:
        target.on("HEAD", path, served(digest))
    return path


def served(digest: str) -> Scripted:
    """Return a registry's answer for an index."""
    headers = {"Content-Type": INDEX, "Docker-Content-Digest": digest, "Content-Length": "500"}
    return Scripted(headers=headers)


async def fail(api: Api, name: str) -> None:
    claimed = await api.claim(name)
    lost = ReportedError(code=Code.BLOB_NOT_FOUND, detail="A blob is missing.")
    report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.FAILED, error=lost)
    assert (await api.report(name, report)).status == 200


async def test_an_import_starts(api: Api, source: Source, repository: str) -> None:
    """The answer is the contract's, the image is importing, and a message is in the outbox."""
    pushed = source.push(repository)
    answer = await api.post_import({"source": f"{source.host}/{repository}:1.0", "description": "Tools"})
    assert answer.status == 200
    name = answer.body["name"]
    assert answer.body == {
        "state": 1,
        "message": "Image import started",
        "alreadyImageId": 0,
        "imageId": answer.body["imageId"],
        "name": name,
    }
    image = await api.get(f"/images/{answer.body['imageId']}")
    assert image["repo"] == f"imports/{source.host.replace(':', '-')}/{repository}"
    assert (image["imageTag"], image["status"], image["description"]) == ("1.0", "importing", "Tools")
    assert (image["userName"], image["import"]["state"]) == ("user", "queued")
    pinned, reason = await api.value("SELECT source_digest FROM imports"), await api.value("SELECT reason FROM outbox")
    assert (pinned, reason) == (pushed.digest, "requested")


async def test_twenty_equal_requests_at_once_are_one_import(api: Api, image_source: str) -> None:
    """No answer is an error, all name the same image and import, and there is one message."""
    answers = await asyncio.gather(*(api.post_import({"source": image_source}) for _ in range(20)))
    assert {(answer.status, answer.body["state"]) for answer in answers} == {(200, 1)}
    assert len({(answer.body["imageId"], answer.body["name"]) for answer in answers}) == 1
    counts = "SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM imports), (SELECT count(*) FROM outbox)"
    async with api.database.connection() as connection:
        assert tuple(await connection.fetchrow(counts) or ()) == (1, 1, 1)


async def test_a_ready_image_is_not_imported_again(api: Api, image_source: str, target: HostileRegistry) -> None:
    started = await api.start({"source": image_source})
    await finish(api, started["name"], target)
    answer = await api.post_import({"source": image_source})
    assert answer.status == 200
    assert answer.body == {
        "state": 2,
        "message": "The image is ready; nothing was imported.",
        "alreadyImageId": started["imageId"],
        "imageId": started["imageId"],
        "name": started["name"],
    }


async def test_a_moved_tag_is_reported_and_followed_with_force(
    api: Api, source: Source, repository: str, target: HostileRegistry
) -> None:
    source.push(repository)
    body = {"source": f"{source.host}/{repository}:1.0"}
    started = await api.start(body)
    await finish(api, started["name"], target)
    moved = source.push(repository, seed="newer")
    answer = (await api.post_import(body)).body
    assert (answer["state"], answer["alreadyImageId"]) == (2, started["imageId"])
    assert moved.digest in answer["message"]
    forced = await api.start({**body, "force": True})
    assert (forced["imageId"], forced["name"] != started["name"]) == (started["imageId"], True)
    assert (await api.get(f"/images/{started['imageId']}"))["status"] == "importing"
    assert await api.value("SELECT source_digest FROM imports WHERE name = $1", forced["name"]) == moved.digest


async def test_other_platforms_of_a_ready_image_are_imported(
    api: Api, image_source: str, target: HostileRegistry
) -> None:
    whole = await api.start({"source": image_source})
    await finish(api, whole["name"], target)
    part = await api.start({"source": image_source, "platforms": ["linux/arm64", "linux/aarch64"]})
    assert part["imageId"] == whole["imageId"]
    assert (await api.get(f"/images/{part['imageId']}"))["import"]["platforms"] == ["linux/arm64"]
    await finish(api, part["name"], target)
    again = await api.post_import({"source": image_source, "platforms": ["linux/arm64"]})
    assert again.body["state"] == 2


async def test_an_image_that_the_target_lost_is_imported_again(
    api: Api, image_source: str, target: HostileRegistry
) -> None:
    """Another client deleted the tag in the target: state 2 would be wrong."""
    started = await api.start({"source": image_source})
    path = await finish(api, started["name"], target)
    target.on("HEAD", path, error(404, "MANIFEST_UNKNOWN"))
    target.on("GET", "/v2/", Scripted(body=b"{}"))
    again = await api.start({"source": image_source}, token=await api.token("bob"))
    assert again["imageId"] == started["imageId"]
    assert again["name"] != started["name"]


async def test_an_image_whose_tag_another_client_moved_is_neither_there_nor_imported(
    api: Api, image_source: str, target: HostileRegistry
) -> None:
    """State 2 would be wrong, and an import would overwrite what the other client pushed."""
    started = await api.start({"source": image_source})
    path = await finish(api, started["name"], target)
    target.on("HEAD", path, served("sha256:" + 64 * "f"))
    target.on("GET", "/v2/", Scripted(body=b"{}"))
    answer = await api.post_import({"source": image_source})
    assert (answer.status, answer.code, answer.body["state"]) == (409, "target_tag_foreign", 0)
    assert (await api.get(f"/images/{started['imageId']}"))["status"] == "failed"


async def test_no_answer_says_that_an_image_exists_while_the_target_is_away(
    api: Api, image_source: str, target: HostileRegistry
) -> None:
    """The answer is the target's error, and the image does not change."""
    started = await api.start({"source": image_source})
    path = await finish(api, started["name"], target)
    target.on("HEAD", path, error(503, "UNAVAILABLE"))
    answer = await api.post_import({"source": image_source})
    assert (answer.status, answer.code, answer.body["state"]) == (502, "target_unavailable", 0)
    assert (await api.get(f"/images/{started['imageId']}"))["status"] == "ready"


async def test_a_failed_image_is_imported_by_the_same_request(api: Api, image_source: str) -> None:
    """Any user may do so; the image keeps its owner."""
    first = await api.start({"source": image_source})
    await fail(api, first["name"])
    second = await api.start({"source": image_source}, token=await api.token("bob"))
    assert second["imageId"] == first["imageId"]
    assert second["name"] != first["name"]
    image = await api.get(f"/images/{first['imageId']}")
    assert (image["userName"], image["status"], image["import"]["name"]) == ("user", "importing", second["name"])


@pytest.mark.parametrize(("role", "status"), [(Role.USER, 403), (Role.ADMIN, 200)])
async def test_force_on_another_users_image_needs_an_admin(
    api: Api, image_source: str, target: HostileRegistry, role: Role, status: int
) -> None:
    started = await api.start({"source": image_source}, token=await api.token("alice"))
    await finish(api, started["name"], target)
    answer = await api.post_import({"source": image_source, "force": True}, role=role)
    assert answer.status == status
    assert answer.body["state"] == (0 if status == 403 else 1)


async def test_two_sources_for_one_target_are_a_conflict(api: Api, source: Source, repository: str) -> None:
    source.push(repository)
    source.push(f"{repository}-other")
    await api.start({"source": f"{source.host}/{repository}:1.0", "target": f"team/{repository}:1.0"})
    answer = await api.post_import(
        {"source": f"{source.host}/{repository}-other:1.0", "target": f"team/{repository}:1.0"}
    )
    assert (answer.status, answer.code, answer.body["state"]) == (409, "import_conflict", 0)


async def test_a_target_can_be_chosen(api: Api, image_source: str) -> None:
    started = await api.start({"source": image_source, "target": "team/tools"})
    image = await api.get(f"/images/{started['imageId']}")
    assert image["reference"] == "harbor.example.com/team/tools:1.0"


async def test_a_source_by_digest_gets_a_tag_from_it(api: Api, source: Source, repository: str) -> None:
    pushed = source.push(repository)
    started = await api.start({"source": f"{source.host}/{repository}@{pushed.digest}"})
    image = await api.get(f"/images/{started['imageId']}")
    assert image["imageTag"] == f"sha256-{pushed.digest.removeprefix('sha256:')[:12]}"


async def test_source_registry_is_prepended(api: Api, source: Source, repository: str) -> None:
    source.push(repository)
    started = await api.start({"source": f"{repository}:1.0", "sourceRegistry": source.host})
    assert (await api.get(f"/images/{started['imageId']}"))["source"] == f"{source.host}/{repository}:1.0"


async def test_a_chosen_registrys_host_is_left_out_of_the_name(
    open_api: OpenApi, settings: Settings, source: Source, repository: str
) -> None:
    source.push(repository)
    async with open_api(replace(settings, drop_host_for=frozenset({source.host}))) as api:
        started = await api.start({"source": f"{source.host}/{repository}:1.0"})
        assert (await api.get(f"/images/{started['imageId']}"))["repo"] == f"imports/{repository}"


async def test_credentials_are_stored_encrypted(
    api: Api, settings: Settings, source_registry: Registry, repository: str
) -> None:
    """No table has the password in clear text, and the API's keys decrypt it."""
    Remote.of(source_registry).push(repository, "1.0", synthetic_image("c", [10], platforms=("linux/amd64",)))
    credentials = {"username": source_registry.username, "password": source_registry.password}
    started = await api.start({"source": f"{source_registry.host}/{repository}:1.0", "credentials": credentials})
    dump = await api.value("SELECT string_agg(imports::text, '') FROM imports")
    assert str(source_registry.password) not in dump
    sealed = await api.sealed_account(started["name"])
    assert json.loads(settings.secrets.open(sealed or b"")).items() >= credentials.items()


@pytest.mark.parametrize(
    "trouble",
    [
        Scripted(wait=60),
        error(503, "UNAVAILABLE"),
        error(429, "TOOMANYREQUESTS", Retry_After="60"),
    ],
    ids=["slow", "unavailable", "rate limited"],
)
async def test_a_source_that_only_needs_time_is_left_to_the_worker(
    api: Api, hostile: HostileRegistry, trouble: Scripted
) -> None:
    """The import starts without a digest, and the worker resolves the tag."""
    for method in ("HEAD", "GET"):
        hostile.on(method, MANIFEST, trouble)
    started = await api.start({"source": f"{hostile.host}/app:1.0"})
    assert (await api.claim(started["name"])).source_digest is None


async def test_a_digest_in_the_reference_is_pinned_even_if_the_source_is_slow(
    api: Api, hostile: HostileRegistry
) -> None:
    digest = "sha256:" + 64 * "a"
    hostile.on("HEAD", f"/v2/app/manifests/{digest}", error(503, "UNAVAILABLE"))
    started = await api.start({"source": f"{hostile.host}/app:1.0@{digest}"})
    assert (await api.claim(started["name"])).source_digest == digest


async def test_docker_hub_like_metering_is_spared(api: Api, hostile: HostileRegistry) -> None:
    """One HEAD request and no GET is enough."""
    headers: dict[str, Any] = {
        "Content-Type": "application/vnd.oci.image.index.v1+json",
        "Docker-Content-Digest": "sha256:" + 64 * "b",
        "Content-Length": "500",
    }
    hostile.on("HEAD", MANIFEST, Scripted(headers=headers))
    await api.start({"source": f"{hostile.host}/app:1.0"})
    assert [asked.method for asked in hostile.asked] == ["HEAD"]
