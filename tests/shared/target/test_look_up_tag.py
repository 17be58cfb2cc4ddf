"""A tag of the target as an import finds it: its digest, and its age where the target tells."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.images.synthetic import synthetic_image
from shared.errors.error import LongshoreError
from shared.target.settings import TargetKind
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.harbor.conftest import ADMIN, PROJECT, StandIn
from tests.shared.target.conftest import Place, managing

ARTIFACT = f"/api/v2.0/projects/{PROJECT}/repositories/app/artifacts/1.0"
DIGEST = f"sha256:{64 * 'a'}"


async def test_a_tag_is_found_with_its_digest(place: Place) -> None:
    image = synthetic_image("looked up", [500])
    await place.push(image, "1.0")
    found = await place.management.look_up_tag(place.repository, "1.0")
    assert found is not None
    assert str(found.digest) == image.digest
    assert await place.management.look_up_tag(place.repository, "2.0") is None


async def test_harbor_tells_the_age_of_a_tag_and_not_that_of_its_artifact(standin: StandIn, harbor: Place) -> None:
    """A tag that was moved to an old artifact is new."""
    image, other = synthetic_image("old", [500]), synthetic_image("other", [500])
    await harbor.push(image, "1.0")
    await harbor.push(other, "2.0")
    await asyncio.sleep(0.05)
    moved_at = datetime.now(UTC)
    await standin.put(harbor.repository, "2.0", image.root)
    old = await harbor.management.look_up_tag(harbor.repository, "1.0")
    new = await harbor.management.look_up_tag(harbor.repository, "2.0")
    assert old is not None
    assert new is not None
    assert old.pushed_at is not None
    assert new.pushed_at is not None
    assert old.digest == new.digest
    assert old.pushed_at < moved_at - timedelta(milliseconds=40)
    assert abs(new.pushed_at - moved_at) < timedelta(seconds=5)
    assert new.pushed_at >= moved_at - timedelta(milliseconds=1)


async def test_a_plain_registry_tells_no_age(plain: Place) -> None:
    await plain.push(synthetic_image("ageless", [500]), "1.0")
    found = await plain.management.look_up_tag(plain.repository, "1.0")
    assert found is not None
    assert found.pushed_at is None


@pytest.mark.parametrize(
    "tags", ["null", "[]", '[{"name": "2.0"}]', '[{"name": "1.0", "push_time": "soon"}]', '[{"name": "1.0"}]']
)
async def test_an_age_that_cannot_be_read_is_no_reason_to_fail(hostile: HostileRegistry, tags: str) -> None:
    """Only the digest decides."""
    hostile.on("GET", ARTIFACT, Answer(body=f'{{"digest": "{DIGEST}", "tags": {tags}}}'.encode()))
    async with managing(hostile.host, TargetKind.HARBOR, ADMIN) as management:
        found = await management.look_up_tag(f"{PROJECT}/app", "1.0")
    assert found is not None
    assert (str(found.digest), found.pushed_at) == (DIGEST, None)


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [(TargetKind.HARBOR, "GET", ARTIFACT), (TargetKind.REGISTRY, "HEAD", f"/v2/{PROJECT}/app/manifests/1.0")],
)
async def test_a_target_that_fails_is_asked_once(
    hostile: HostileRegistry, kind: TargetKind, method: str, path: str
) -> None:
    """A request that waits for the answer goes on without it sooner than retries would end."""
    hostile.on(method, path, *(Answer(status=503) for _ in range(3)))
    async with managing(hostile.host, kind, ADMIN) as management:
        with pytest.raises(LongshoreError) as caught:
            await management.look_up_tag(f"{PROJECT}/app", "1.0")
    assert caught.value.code == "target_unavailable"
    assert len(hostile.requests(method)) == 1
