"""POST /images:import with dryRun: it reports what the import would do, and changes nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api_service.imports.dry_run import places
from api_service.imports.dry_run import preview as dry_run
from api_service.settings import Settings
from deploy.local.images.image import Image
from deploy.local.stack import Registry, Remote, synthetic_image
from shared.db import blob_proofs, blobs
from shared.model.blob_origin import BlobOrigin
from shared.model.roles import Role
from shared.planning.budget import PlanLimits
from shared.target.settings import TargetSettings
from tests.api_service.api import Answer, Api
from tests.api_service.conftest import OpenApi
from tests.api_service.imports.test_import import fail, finish
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry

# Bytes of the largest layer of a case's image.
LARGEST = 2_000
ANONYMOUS = BlobOrigin(host="any.example.com", with_account=False)
TARGET_NAME = "harbor.example.com"
WRITTEN = "images, imports, import_layers, outbox, blobs, source_registries"


@pytest.fixture
async def api(open_api: OpenApi, settings: Settings, target_registry: Registry) -> AsyncIterator[Api]:
    """An API in front of a real target."""
    async with open_api(at(settings, TargetSettings(host=target_registry.host, credential=None))) as api:
        yield api


def at(settings: Settings, target: TargetSettings) -> Settings:
    return replace(settings, shared=replace(settings.shared, target=target))


class Case:
    """An image in a source registry, and its name in the target."""

    def __init__(self, registry: Registry, repository: str) -> None:
        self.image = synthetic_image(secrets.token_hex(6), [700, LARGEST], shared=1)
        self.remote = Remote.of(registry)
        self.remote.push(repository, "1.0", self.image)
        self.source = f"{registry.host}/{repository}:1.0"
        self.repository = f"team/{repository}"
        self.body = {"source": self.source, "target": f"{self.repository}:1.0", "dryRun": True}

    @property
    def real(self) -> dict[str, Any]:
        """The same request without `dryRun`."""
        return {**self.body, "dryRun": False}

    @property
    def blob_bytes(self) -> int:
        return sum(blob.size for blob in self.image.blobs)


@pytest.fixture
def case(public_registry: Registry, repository: str) -> Case:
    return Case(public_registry, repository)


async def plan(api: Api, body: object, **options: Any) -> Any:
    """Request a preview, which must succeed, and return its plan."""
    return (await preview(api, body, **options))["plan"]


async def preview(api: Api, body: object, **options: Any) -> Any:
    answer = await api.post_import(body, **options)
    assert answer.status == 200, answer
    assert answer.body["dryRun"] is True
    counted = answer.body["plan"]
    assert counted["bytesInTarget"] + counted["bytesMountable"] + counted["bytesToMove"] == counted["bytesTotal"]
    for kind in ("blobs", "manifests"):
        counts = dict(counted[kind])
        assert counts.pop("total") == sum(counts.values())
    return answer.body


def counts(in_target: int, mountable: int, to_move: int) -> dict[str, int]:
    total = in_target + mountable + to_move
    return {"total": total, "inTarget": in_target, "mountable": mountable, "toMove": to_move}


async def record(api: Api, host: str, repository: str, image: Image) -> None:
    """Write to the ledger as a worker does after an import into another repository."""
    async with api.database.connection() as connection:
        await blobs.record(connection, host, repository, [blob.digest for blob in image.blobs])


async def prove(api: Api, host: str, image: Image, origin: BlobOrigin) -> None:
    """Write as a worker does that has read the image's blobs from this origin."""
    async with api.database.connection() as connection:
        await blob_proofs.record(connection, host, [blob.digest for blob in image.blobs], origin)


async def test_everything_of_a_new_image_would_be_moved(api: Api, case: Case) -> None:
    """This is the whole answer, field by field."""
    answer = await api.post_import(case.body)
    assert answer.status == 200
    assert answer.body == {
        "state": 1,
        "message": "The image would be imported; nothing was done.",
        "alreadyImageId": 0,
        "dryRun": True,
        "allowedBy": "local: everything",
        "plan": {
            "source": case.source,
            "sourceDigest": case.image.digest,
            "target": f"{TARGET_NAME}/{case.repository}:1.0",
            "platforms": ["linux/amd64", "linux/arm64"],
            "includeType": "full",
            "bytesTotal": case.image.size,
            "bytesInTarget": 0,
            "bytesMountable": 0,
            "bytesToMove": case.image.size,
            "blobs": counts(0, 0, len(case.image.blobs)),
            "manifests": counts(0, 0, 3),
            "referrers": 0,
            "overwrites": None,
            "quotaRoom": None,
            "fits": None,
        },
    }


async def test_nothing_is_written(api: Api, case: Case, target_registry: Registry) -> None:
    """This holds for the database and for the target."""
    await preview(api, case.body)
    await preview(api, {**case.body, "force": True, "description": "x", "platforms": ["linux/arm64"]})
    for table in WRITTEN.split(", "):
        assert await api.value(f"SELECT count(*) FROM {table}") == 0, table
    assert not (target_registry.root / "docker/registry/v2/repositories" / case.repository).exists()


async def test_contents_of_the_target_are_reported(api: Api, case: Case, target_registry: Registry) -> None:
    target = Remote.of(target_registry)
    present = case.image.blobs[0]
    target.push_blob(case.repository, present)
    found = await plan(api, case.body)
    assert found["blobs"] == counts(1, 0, len(case.image.blobs) - 1)
    assert found["bytesInTarget"] == present.size
    target.push(case.repository, "2.0", case.image)
    found = await plan(api, case.body)
    assert (found["bytesInTarget"], found["bytesToMove"]) == (case.image.size, 0)
    assert found["manifests"] == counts(3, 0, 0)


async def test_mountable_blobs_are_reported(api: Api, case: Case, target_registry: Registry) -> None:
    """The ledger knows mountable blobs; blobs in the repository itself do not count as mountable."""
    Remote.of(target_registry).push_blob(case.repository, case.image.blobs[0])
    await record(api, target_registry.host, "team/other", case.image)
    found = await plan(api, case.body)
    assert found["blobs"] == counts(1, len(case.image.blobs) - 1, 0)
    assert found["bytesMountable"] == case.blob_bytes - case.image.blobs[0].size


async def test_a_blob_of_another_project_is_mountable_only_with_a_proof(
    api: Api, case: Case, target_registry: Registry
) -> None:
    """Otherwise a dry run would show which digests other projects hold."""
    await record(api, target_registry.host, "elsewhere/app", case.image)
    await prove(api, target_registry.host, case.image, BlobOrigin(host="other.example.com", with_account=True))
    assert (await plan(api, case.body))["bytesMountable"] == 0
    await prove(api, target_registry.host, case.image, ANONYMOUS)
    assert (await plan(api, case.body))["bytesMountable"] == case.blob_bytes


async def test_a_blob_of_the_same_host_is_mountable_if_the_source_confirms_it(
    api: Api, case: Case, target_registry: Registry, public_registry: Registry
) -> None:
    """The registry has the image's blobs in this repository, and lacks the one that was deleted there."""
    await record(api, target_registry.host, "elsewhere/app", case.image)
    origin = BlobOrigin(host=public_registry.host, with_account=True)
    await prove(api, target_registry.host, case.image, origin)
    assert (await plan(api, case.body))["bytesMountable"] == case.blob_bytes
    gone = next(blob for blob in case.image.blobs if blob.size == LARGEST)
    links = public_registry.root / "docker/registry/v2/repositories" / case.repository.removeprefix("team/")
    (links / "_layers/sha256" / gone.digest.partition(":")[2] / "link").unlink()
    found = await plan(api, case.body)
    assert (found["bytesMountable"], found["bytesToMove"]) == (
        case.blob_bytes - gone.size,
        case.image.size - case.blob_bytes + gone.size,
    )


async def test_another_registrys_ledger_is_not_believed(api: Api, case: Case) -> None:
    await record(api, "elsewhere.example.com", "team/other", case.image)
    assert (await plan(api, case.body))["bytesMountable"] == 0


async def test_a_platform_subset_is_planned_as_it_would_be_copied(api: Api, case: Case) -> None:
    """The index is trimmed; its bytes are those of the trimmed index."""
    found = await plan(api, {**case.body, "platforms": ["linux/arm64"]})
    assert (found["platforms"], found["includeType"]) == (["linux/arm64"], "partial")
    assert found["sourceDigest"] == case.image.digest
    assert found["manifests"] == counts(0, 0, 2)
    assert found["blobs"]["total"] < len(case.image.blobs)


async def test_a_ready_image_would_not_be_imported_again(api: Api, case: Case, target_registry: Registry) -> None:
    started = await api.start(case.real)
    await finish(api, started["name"])
    Remote.of(target_registry).push(case.repository, "1.0", case.image)
    found = await preview(api, case.body)
    assert (found["state"], found["alreadyImageId"]) == (2, started["imageId"])
    assert found["message"] == "The image is ready; nothing was imported."
    assert (found["plan"]["bytesToMove"], found["plan"]["overwrites"]) == (0, None)


async def test_the_image_that_force_would_overwrite_is_named(api: Api, case: Case, target_registry: Registry) -> None:
    started = await api.start(case.real)
    await finish(api, started["name"])
    Remote.of(target_registry).push(case.repository, "1.0", case.image)
    found = await preview(api, {**case.body, "force": True})
    assert (found["state"], found["alreadyImageId"]) == (1, 0)
    assert "tag moved" in found["message"]
    assert found["plan"]["overwrites"] == {
        "imageId": started["imageId"],
        "digest": case.image.digest,
        "status": "ready",
        "createdBy": "user",
    }


async def test_an_unmanaged_tag_is_named_too(api: Api, case: Case, target_registry: Registry) -> None:
    """Another client pushed it; an admin's import with `force` would move it nevertheless."""
    other = synthetic_image(secrets.token_hex(6), [10])
    Remote.of(target_registry).push(case.repository, "1.0", other)
    found = await plan(api, {**case.body, "force": True}, role=Role.ADMIN)
    assert found["overwrites"] == {"imageId": None, "digest": other.digest, "status": None, "createdBy": None}


async def test_a_running_import_would_be_joined(api: Api, case: Case) -> None:
    await api.start(case.real)
    found = await preview(api, case.body)
    assert (found["state"], found["alreadyImageId"]) == (1, 0)
    assert "join" in found["message"]
    assert await api.value("SELECT count(*) FROM imports") == 1


async def test_a_failed_image_would_be_imported_again(api: Api, case: Case) -> None:
    await fail(api, (await api.start(case.real))["name"])
    found = await preview(api, case.body)
    assert (found["state"], found["plan"]["overwrites"]) == (1, None)


async def test_an_image_that_the_target_lost_would_be_imported_again(api: Api, case: Case) -> None:
    """Longshore lists the image as ready, but another client has deleted its tag in the target."""
    await finish(api, (await api.start(case.real))["name"])
    found = await preview(api, case.body)
    assert (found["state"], found["alreadyImageId"], found["plan"]["overwrites"]) == (1, 0, None)


async def test_a_moved_tag_is_reported(
    api: Api, case: Case, public_registry: Registry, target_registry: Registry, repository: str
) -> None:
    await finish(api, (await api.start(case.real))["name"])
    Remote.of(target_registry).push(case.repository, "1.0", case.image)
    moved = synthetic_image(secrets.token_hex(6), [10])
    Remote.of(public_registry).push(repository, "1.0", moved)
    found = await preview(api, case.body)
    assert (found["state"], found["plan"]["sourceDigest"]) == (2, moved.digest)
    assert moved.digest in found["message"]


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code, answer.body["state"]) == (status, code, 0), answer


async def test_a_dry_run_is_refused_as_the_import_would_be(
    api: Api, case: Case, public_registry: Registry, repository: str
) -> None:
    """Another user's image, a target of another source, an unknown tag, an unknown platform."""
    await finish(api, (await api.start(case.real, token=await api.token("alice")))["name"])
    refused(await api.post_import({**case.body, "force": True}), 403, "forbidden")
    assert (await api.post_import({**case.body, "force": True}, role=Role.ADMIN)).status == 200
    other = Case(public_registry, f"{repository}-other")
    refused(await api.post_import({**other.body, "target": f"{case.repository}:1.0"}), 409, "import_conflict")
    refused(await api.post_import({**case.body, "source": f"{case.source}.1"}), 404, "source_not_found")
    refused(await api.post_import({**other.body, "platforms": ["plan9/mips"]}), 422, "platform_not_available")


async def test_an_image_that_is_being_deleted_is_refused(api: Api, case: Case) -> None:
    """The import is refused, too, while the deletion runs."""
    await finish(api, (await api.start(case.real))["name"])
    await api.execute("UPDATE images SET deletion_lease_until = now() + interval '1 minute'")
    assert (await api.post_import({**case.real, "force": True})).code == "image_being_deleted"
    refused(await api.post_import({**case.body, "force": True}), 409, "image_being_deleted")


async def test_a_slow_source_ends_in_time(
    api: Api, hostile: HostileRegistry, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.on("HEAD", "/v2/app/manifests/1.0", Scripted(wait=60))
    assert api.client.app
    monkeypatch.setattr(dry_run, "DEADLINE", 0.3)
    answer = await api.post_import({**case.body, "source": f"{hostile.host}/app:1.0"})
    refused(answer, 504, "dry_run_timeout")
    assert "0.3 seconds" in answer.body["detail"]


async def test_a_source_that_is_down_is_an_error_and_not_left_to_a_worker(api: Api, case: Case) -> None:
    """An import could start and wait for its source; a plan cannot be made without it."""
    refused(await api.post_import({**case.body, "source": "127.0.0.1:1/app:1.0"}), 502, "source_unreachable")


@pytest.mark.parametrize(("limit", "name"), [("image_bytes", "MAX_IMAGE_BYTES"), ("blob_bytes", "MAX_BLOB_BYTES")])
async def test_an_image_beyond_the_limits_is_refused(
    open_api: OpenApi, settings: Settings, case: Case, limit: str, name: str
) -> None:
    """As the worker would refuse it, and before the target is asked."""
    shared = replace(settings.shared, plan_limits=PlanLimits(**{limit: LARGEST - 1}))
    async with open_api(replace(settings, shared=shared)) as api:
        answer = await api.post_import(case.body)
    refused(answer, 422, "image_too_large")
    assert name in answer.body["detail"]


async def test_a_target_that_is_down_is_an_error(open_api: OpenApi, settings: Settings, case: Case) -> None:
    async with open_api(settings) as api:
        refused(await api.post_import(case.body), 502, "target_unreachable")


async def test_a_few_plans_are_made_at_a_time(api: Api, case: Case) -> None:
    """The others wait for their turn."""
    answers = await asyncio.gather(*(api.post_import(case.body) for _ in range(3 * places.PLANS_AT_ONCE)))
    assert {answer.status for answer in answers} == {200}
