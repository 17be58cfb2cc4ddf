"""The fields of a plan that lists show: the size, the platforms, and the platform that represents the image."""

import pytest

from deploy.local.images.image import OCI, Image, index_of, memory_blob, platform_manifest
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from tests.import_worker.ends import DictSource

SHARED = memory_blob(OCI.tar, b"a layer of every platform")


async def plan_of(*platforms: str, wanted: tuple[str, ...] = ()) -> tuple[Image, ImportPlan]:
    """Plan an index of these platforms in this order; each has the shared layer and a separate one."""
    own = {platform: memory_blob(OCI.tar, platform.encode()) for platform in platforms}
    made = {
        platform: platform_manifest(platform, [SHARED, own[platform]], created="2024-01-01T00:00:00Z", config={})
        for platform in own
    }
    blobs = {blob.digest: blob for platform in own for blob in (SHARED, own[platform], made[platform][1])}
    manifests = {platform: manifest for platform, (manifest, _) in made.items()}
    image = Image(root=index_of(manifests), children=tuple(manifests.values()), blobs=tuple(blobs.values()))
    source = DictSource(image)
    return image, await make_plan(source, await source.resolve(), [Platform.parse(text) for text in wanted])


@pytest.mark.parametrize(
    ("platforms", "shown"),
    [
        (("linux/arm64", "linux/amd64", "windows/amd64"), "linux/amd64"),
        (("linux/arm64", "windows/amd64"), "linux/arm64"),
        (("windows/amd64", "linux/arm64"), "windows/amd64"),
        (("linux/s390x",), "linux/s390x"),
    ],
)
async def test_linux_amd64_stands_for_an_image_else_its_first_platform(platforms: tuple[str, ...], shown: str) -> None:
    """Its position in the index does not matter; all platforms are listed in the index's order."""
    _, plan = await plan_of(*platforms)
    assert str(plan.shown_platform) == shown
    assert [str(platform).removesuffix("/v8") for platform in plan.platforms] == list(platforms)
    assert plan.include_type == "full"


async def test_a_subset_shows_what_it_has() -> None:
    """The platform that would represent the whole image is missing."""
    _, plan = await plan_of("linux/amd64", "linux/arm64", wanted=("linux/arm64",))
    assert str(plan.shown_platform).startswith("linux/arm64")
    assert (len(plan.platforms), plan.include_type) == (1, "partial")


async def test_the_size_is_that_of_all_distinct_blobs_and_manifests() -> None:
    """A blob that two platforms share counts once; the index counts, too."""
    image, plan = await plan_of("linux/amd64", "linux/arm64")
    manifests = sum(len(manifest.body) for manifest in (image.root, *image.children))
    assert plan.size == manifests + sum(blob.size for blob in image.blobs)
    assert [str(blob.digest) for blob in plan.blobs].count(SHARED.digest) == 1
