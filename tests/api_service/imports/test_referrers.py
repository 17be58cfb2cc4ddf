"""Referrers: whether they are imported with an image, how many were, and the notes about the others."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.images.image import Image
from deploy.local.stack import Registry, Remote
from shared.messages.progress_report import ReportedState
from shared.model.image_content import ImageContent
from shared.target.settings import TargetSettings
from tests.api_service.api import Api
from tests.api_service.conftest import OpenApi, Source
from tests.api_service.imports.test_dry_run import at
from tests.api_service.managed import Job
from tests.import_worker.copying.artifacts.content import (
    cosign_signature,
    cosign_tag,
    fallback_tag,
    listing_of,
    sbom_of,
)

LEFT_OUT = "sha256-….sig was left out: it is missing at the source."


@pytest.fixture
def image(source: Source, repository: str) -> Image:
    return source.push(repository)


@pytest.fixture
def reference(source: Source, repository: str, image: Image) -> str:
    return f"{source.host}/{repository}:1.0"


@pytest.fixture
async def target_api(open_api: OpenApi, settings: Settings, target_registry: Registry) -> AsyncIterator[Api]:
    """An API in front of a real target."""
    async with open_api(at(settings, TargetSettings(host=target_registry.host, credential=None))) as api:
        yield api


async def with_referrers(api: Api) -> list[bool]:
    async with api.database.connection() as connection:
        rows = await connection.fetch("SELECT with_referrers FROM imports ORDER BY id")
    return [row["with_referrers"] for row in rows]


async def begin(api: Api, image: Image, body: dict[str, Any]) -> Job:
    answer = await api.start(body)
    return await Job(
        api=api, image=image, image_id=answer["imageId"], name=answer["name"], repository="", tag="1.0"
    ).claim()


async def end(job: Job, **more: Any) -> None:
    content = ImageContent(
        source_digest=job.image.digest,
        digest=job.image.digest,
        size=1000,
        architecture="amd64",
        os="linux",
        platforms=("linux/amd64",),
        include_type="full",
        **more,
    )
    assert (await job.send(ReportedState.READY, content=content)).status == 200


@pytest.mark.parametrize(("asked", "brought"), [({}, True), ({"referrers": None}, True), ({"referrers": False}, False)])
async def test_they_come_along_unless_a_request_leaves_them_out(
    api: Api, reference: str, asked: dict[str, bool], brought: bool
) -> None:
    answer = await api.start({"source": reference, **asked})
    assert await with_referrers(api) == [brought]
    assert (await api.claim(answer["name"])).with_referrers is brought


async def test_an_operator_may_leave_them_out_where_a_request_does_not_ask(
    open_api: OpenApi, settings: Settings, reference: str
) -> None:
    """The setting applies to requests without the field."""
    async with open_api(replace(settings, referrers=False)) as api:
        await api.start({"source": reference})
        await api.start({"source": reference, "target": "imports/another:1.0", "referrers": True})
        assert await with_referrers(api) == [False, True]


@pytest.mark.parametrize("value", [0, 1, "yes", []])
async def test_anything_but_true_and_false_is_refused_by_name(api: Api, reference: str, value: object) -> None:
    answer = await api.post_import({"source": reference, "referrers": value})
    assert answer.status == 400
    assert "referrers" in str(answer.body["errors"])


async def test_their_number_and_the_skipped_ones_are_reported(api: Api, image: Image, reference: str) -> None:
    """The image has their number, and the message of the ready import names those that were skipped."""
    job = await begin(api, image, {"source": reference})
    assert (await api.get(f"/images/{job.image_id}"))["referrers"] == 0
    await end(job, referrers=3, note=LEFT_OUT)
    assert (await api.get(f"/images/{job.image_id}"))["referrers"] == 3
    details = await api.get(f"/images/{job.image_id}/importing-details")
    assert details["message"] == f"The image is ready. {LEFT_OUT}"


async def test_a_worker_of_an_older_release_says_nothing_of_them(api: Api, image: Image, reference: str) -> None:
    """The API accepts its report and counts no referrers."""
    job = await begin(api, image, {"source": reference})
    await end(job)
    assert (await api.get(f"/images/{job.image_id}"))["referrers"] == 0
    assert (await api.get(f"/images/{job.image_id}/importing-details"))["message"] == "The image is ready."


async def test_an_import_without_them_is_not_joined_by_a_request_that_wants_them(api: Api, reference: str) -> None:
    """An import with referrers is joined by a request without them."""
    await api.start({"source": reference, "referrers": False})
    refused = await api.post_import({"source": reference, "referrers": True})
    assert (refused.status, refused.code) == (409, "import_conflict")
    await api.start({"source": reference, "target": "imports/another:1.0"})
    await api.start({"source": reference, "target": "imports/another:1.0", "referrers": False})
    assert await with_referrers(api) == [False, True]


async def test_a_ready_image_without_them_says_how_to_get_them(
    target_api: Api, target_registry: Registry, image: Image, reference: str
) -> None:
    """Only `force` imports the image again."""
    where = f"team/{reference.rpartition('/')[2]}"
    job = await begin(target_api, image, {"source": reference, "target": where, "referrers": False})
    await asyncio.to_thread(Remote.of(target_registry).push, where.partition(":")[0], "1.0", image)
    await end(job)
    body = {"source": reference, "target": where}
    exists = await target_api.post_import(body)
    assert exists.body["state"] == 2
    assert "`force`" in exists.body["message"]
    without = await target_api.post_import({**body, "referrers": False})
    assert without.body["message"].endswith("nothing was imported.")
    await target_api.start({**body, "force": True})
    assert await with_referrers(target_api) == [False, True]


async def test_a_retry_imports_what_was_requested_at_first(api: Api, image: Image, reference: str) -> None:
    job = await begin(api, image, {"source": reference, "referrers": False})
    assert (await job.fail()).status == 200
    answer = await api.call("POST", f"/api/v1/images/{job.image_id}/importing:retry", json={})
    assert answer.status == 200
    assert await with_referrers(api) == [False, False]


async def test_a_dry_run_counts_them(
    target_api: Api, source: Source, repository: str, image: Image, reference: str
) -> None:
    """Its figures include their blobs and manifests; its message names those that would be skipped."""
    remote = Remote.of(source.registry)
    sbom, blobs = sbom_of(image.root)
    signature, more = cosign_signature(image.root, "release")
    for blob in (*blobs, *more):
        await asyncio.to_thread(remote.push_blob, repository, blob)
    for tag, manifest in (
        (sbom.digest, sbom),
        (fallback_tag(image.root), listing_of(sbom)),
        (cosign_tag(image.root), signature),
    ):
        await asyncio.to_thread(remote.push_manifest, repository, tag, manifest)
    extra = [*(blob.size for blob in (*blobs, *more)), len(sbom.body), len(signature.body)]
    body = {"source": reference, "target": f"team/{repository}:1.0", "dryRun": True}
    answer = (await target_api.post_import(body)).body
    assert answer["plan"]["referrers"] == 2
    assert answer["plan"]["bytesTotal"] == answer["plan"]["bytesToMove"] == image.size + sum(extra)
    assert answer["plan"]["manifests"]["total"] == 5
    without = (await target_api.post_import({**body, "referrers": False})).body["plan"]
    assert (without["referrers"], without["bytesTotal"]) == (0, image.size)
    # A referrer that the source has lost.
    await asyncio.to_thread(remote.delete_manifest, repository, sbom.digest)
    answer = (await target_api.post_import(body)).body
    assert answer["plan"]["referrers"] == 1
    assert f"{sbom.digest} of {image.digest} was left out" in answer["message"]
