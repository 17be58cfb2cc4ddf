"""A worker's write of a tag, in a plain registry and in Harbor."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from import_worker.adapters.registry_target import RegistryTarget
from import_worker.copying.tag import Fence, Replaceable, TagWriter
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.oci.manifest import Manifest
from shared.registry.client import open_registries
from tests.import_worker.copying.copies import allowed
from tests.shared.harbor.conftest import ADMIN
from tests.shared.target.conftest import Place, behind, harbor, place, plain, repository, standin

# These fixtures are not used by name alone, but by pytest.
__all__ = ("behind", "harbor", "place", "plain", "repository", "standin")


@pytest.fixture
async def target(place: Place) -> AsyncIterator[RegistryTarget]:
    """The repository, as a worker writes to it; it has the image's content."""
    host = place.remote.address.netloc
    policy = NetworkPolicy.of(plain_http=[host], trusted=True)
    credential = ADMIN if "Authorization" in place.remote.headers else None
    async with open_registries(policy, Side.TARGET) as registries:
        await place.push(image(), "content")
        yield RegistryTarget(registries.registry(host, credential).repository(place.repository))


def image(name: str = "ours") -> Image:
    return synthetic_image(f"write a tag, {name}", [600], platforms=("linux/amd64",), index=False)


async def write(target: RegistryTarget, replaceable: str = "", fence: Fence = allowed) -> bool:
    """Write the tag 1.0, which may have the replaceable digest."""
    root = image().root
    check = partial(Replaceable(digests=frozenset({replaceable})).check, "1.0")
    return await TagWriter(target=target, fence=fence).write("1.0", Manifest.parse(root.body, root.media_type), check)


async def test_a_new_tag_is_written_once(place: Place, target: RegistryTarget) -> None:
    assert await write(target)
    assert await place.serves("1.0") == image().digest
    assert not await write(target)


async def test_a_tag_of_another_client_stays(place: Place, target: RegistryTarget) -> None:
    theirs = image("theirs")
    await place.push(theirs, "1.0")
    with pytest.raises(LongshoreError, match=f"target_tag_foreign.*{theirs.digest}"):
        await write(target)
    assert await place.serves("1.0") == theirs.digest


async def test_a_tag_that_an_import_wrote_is_replaced(place: Place, target: RegistryTarget) -> None:
    older = image("older")
    await place.push(older, "1.0")
    assert await write(target, older.digest)
    assert await place.serves("1.0") == image().digest


async def test_a_tag_that_is_created_between_permission_and_put_stays(place: Place, target: RegistryTarget) -> None:
    """Nothing was there when the import was accepted, nor when its worker began."""
    theirs = image("theirs")

    async def fence() -> None:
        await place.push(theirs, "1.0")
        await asyncio.sleep(0)

    with pytest.raises(LongshoreError, match="target_tag_foreign"):
        await write(target, fence=fence)
    assert await place.serves("1.0") == theirs.digest
