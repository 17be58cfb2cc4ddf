"""Tags after PUTs that the target carried out late: the API and the tag agree, in each kind of target."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from api_service.images.keys import DELETION, VERIFIER
from api_service.images.late_writes.put_right import DELAYS, TagKeeper
from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from shared.db import companion_tags, deletions
from shared.db.tags import tag_writes
from shared.db.tags.tag_writes import WrittenTag
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.referrer import companion_tags as names_of_companions
from shared.target.management import TargetManagement
from tests.api_service.api import BASE
from tests.api_service.images.deletion.conftest import (
    OpenManaged,
    Place,
    delete,
    harbor,
    managed,
    opened,
    place,
    plain,
    standin,
)
from tests.api_service.managed import Job, Managed

# These fixtures are not used by name alone, but by pytest.
__all__ = ("harbor", "managed", "opened", "place", "plain", "standin")

# Three looks, each of them due at once.
AT_ONCE = (0.0, 0.0, 0.0)


def keeper(managed: Managed, delays: tuple[float, ...] = AT_ONCE) -> TagKeeper:
    app = managed.api.client.app
    return TagKeeper(app[DELETION].work, app[VERIFIER], delays=delays)


async def remember(managed: Managed, job: Job, digest: str, *, tag: str = "1.0", subject: str | None = None) -> None:
    """Record a PUT whose end is not known."""
    host = managed.api.client.app[DELETION].work.registry_host
    to = WrittenTag(registry_host=host, repository=job.repository, tag=tag, subject=subject)
    async with managed.api.database.connection() as connection:
        await tag_writes.begin_own(connection, to, digest)


async def carry_out(managed: Managed, job: Job, image: Image, *, tag: str = "1.0") -> None:
    """Carry the PUT out, as the target does late, or as another client does."""
    await asyncio.to_thread(managed.target.push, job.repository, tag, image)


async def open_writes(managed: Managed) -> int:
    number: int = await managed.api.value("SELECT count(*) FROM tag_writes")
    return number


async def status(managed: Managed, job: Job) -> str:
    return str((await managed.api.get(f"/images/{job.image_id}"))["status"])


def digest_of(job: Job) -> Digest:
    return Digest.parse(job.image.digest)


@dataclass
class Silent:
    """A target that answers no request for a tag."""

    real: TargetManagement

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def find_tag(self, repository: str, tag: str) -> Digest | None:
        raise LongshoreError(Code.TARGET_STALLED, f"No answer about {repository}:{tag}, for the test.")


def another(name: str = "another") -> Image:
    return synthetic_image(f"late, {name}", [900], platforms=("linux/amd64",))


async def test_a_late_write_over_a_newer_image_is_replaced(managed: Managed) -> None:
    """The image that the API shows has its tag again, after one look; the others find nothing wrong."""
    older = await managed.ready()
    newer = await managed.ready(another(), repository=older.repository)
    await remember(managed, older, older.image.digest)
    await managed.push(older)
    await keeper(managed).look()
    assert await managed.serves(newer.repository, "1.0") == newer.image.digest
    assert await status(managed, newer) == "ready"
    for left in (1, 1, 0):
        assert await open_writes(managed) == left
        await keeper(managed).look()


async def test_what_another_client_wrote_meanwhile_stays(managed: Managed) -> None:
    """It has another digest than the PUT whose end is unknown."""
    job, theirs = await managed.ready(), another("theirs")
    await remember(managed, job, another("late").digest)
    await carry_out(managed, job, theirs)
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") == theirs.digest


async def test_a_late_write_after_a_deletion_is_removed(managed: Managed) -> None:
    """With its manifest; another client's tag on it stays."""
    job = await managed.ready()
    await remember(managed, job, job.image.digest)
    assert (await delete(managed.api, job.image_id)).status == 200
    await managed.push(job)
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") is None
    await remember(managed, job, job.image.digest)
    await managed.push(job)
    await managed.push(job, tag="theirs")
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") is None
    assert await managed.serves(job.repository, "theirs") == job.image.digest


async def test_a_late_write_after_a_cancellation_is_removed(managed: Managed) -> None:
    """The image was never ready: there is nothing to show."""
    job = await (await managed.start()).claim()
    await remember(managed, job, job.image.digest)
    assert (await managed.api.call("POST", f"{BASE}/images/{job.image_id}/importing:cancel")).status == 200
    await managed.push(job)
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") is None
    assert await status(managed, job) == "failed"


async def test_a_late_write_after_a_cancelled_re_import_gives_way_to_the_older_image(managed: Managed) -> None:
    """The older image is ready again: the tag has its digest."""
    older = await managed.ready()
    newer = await (await managed.start(another(), repository=older.repository)).claim()
    assert (await newer.tagging()).status == 200
    await remember(managed, newer, newer.image.digest)
    await newer.fail()
    assert await status(managed, older) == "failed"
    await managed.push(newer)
    await keeper(managed).look()
    assert await managed.serves(older.repository, "1.0") == older.image.digest
    assert await status(managed, older) == "ready"


async def test_a_write_that_never_took_place_leaves_the_older_image_ready(managed: Managed) -> None:
    """The import has failed while the end of its PUT was unknown; the tag shows that nothing was written."""
    older = await managed.ready()
    newer = await (await managed.start(another(), repository=older.repository)).claim()
    assert (await newer.tagging()).status == 200
    await remember(managed, newer, newer.image.digest)
    await newer.fail()
    await keeper(managed).look()
    assert await status(managed, older) == "ready"


async def test_an_import_under_way_decides_by_itself(managed: Managed) -> None:
    """Its attempt may write the tag at this moment; the looks wait for its end, and none is lost."""
    older = await managed.ready()
    await remember(managed, older, older.image.digest)
    newer = await (await managed.start(another(), repository=older.repository)).claim()
    assert (await newer.tagging()).status == 200
    await managed.push(newer)
    for _ in range(4):
        await keeper(managed).look()
        await managed.api.execute("UPDATE tag_writes SET postponed_until = NULL")
    assert await open_writes(managed) == 1
    assert (await newer.ready()).status == 200
    await managed.push(older)
    await keeper(managed).look()
    assert await managed.serves(newer.repository, "1.0") == newer.image.digest


async def test_a_repair_keeps_imports_and_deletions_of_its_repository_waiting(managed: Managed) -> None:
    """Two writers at a time would undo each other."""
    job = await managed.ready()
    await remember(managed, job, job.image.digest)
    await managed.api.execute("UPDATE tag_writes SET lease_until = now() + interval '1 minute'")
    again = await (await managed.start(another(), repository=job.repository)).claim()
    answer = await again.tagging()
    assert (answer.status, answer.code) == (503, Code.REPOSITORY_BUSY)
    assert (await delete(managed.api, job.image_id)).code == Code.IMPORT_FINISHING
    await managed.api.execute("UPDATE tag_writes SET lease_until = NULL")
    assert (await again.tagging()).status == 200


async def test_a_repair_waits_for_writers_of_its_repository(managed: Managed) -> None:
    """A deletion or the write of another tag there is under way; it may concern the same manifest."""
    job = await managed.ready()
    other = await (await managed.start(another(), repository=job.repository, tag="2.0")).claim()
    assert (await other.tagging()).status == 200
    await remember(managed, job, another("late").digest)
    await carry_out(managed, job, another("late"))
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") == another("late").digest
    await other.fail()
    await managed.api.execute("UPDATE tag_writes SET postponed_until = NULL")
    await keeper(managed).look()
    assert await managed.serves(job.repository, "1.0") == job.image.digest


async def test_a_target_that_does_not_answer_is_looked_at_later(opened: OpenManaged, place: Place) -> None:
    """No look is lost meanwhile."""
    async with opened(place) as managed:
        job = await managed.ready()
        await remember(managed, job, another("late").digest)
        await carry_out(managed, job, another("late"))
        app = managed.api.client.app
        work = replace(app[DELETION].work, target=Silent(app[DELETION].work.target))
        for _ in range(4):
            await TagKeeper(work, app[VERIFIER], delays=AT_ONCE).look()
            await managed.api.execute("UPDATE tag_writes SET postponed_until = NULL")
        assert await open_writes(managed) == 1
        await keeper(managed).look()
        assert await managed.serves(job.repository, "1.0") == job.image.digest


async def test_the_looks_come_after_half_a_minute_two_and_five_minutes(managed: Managed) -> None:
    """The row ends with the last one."""
    job = await managed.ready()
    await remember(managed, job, job.image.digest)
    seen = []
    for seconds in (29, 31, 119, 121, 299, 301):
        await managed.api.execute("UPDATE tag_writes SET begun_at = now() - make_interval(secs => $1)", float(seconds))
        await keeper(managed, DELAYS).look()
        seen.append(await managed.api.value("SELECT looks FROM tag_writes"))
    assert seen == [0, 1, 1, 2, 2, None]


async def test_a_late_list_or_signature_gives_way_to_the_newer_one(managed: Managed) -> None:
    """An attempt's late PUT would take signatures away that a later import has added."""
    job, older, newer = await managed.ready(), another("older"), another("newer")
    tag = names_of_companions(digest_of(job))[0]
    work = managed.api.client.app[DELETION].work
    for image in (older, newer):
        await carry_out(managed, job, image, tag=tag)
        async with managed.api.database.connection() as connection:
            await companion_tags.record(connection, work.registry, job.repository, tag, image.digest)
    async with managed.api.database.connection() as connection:
        await companion_tags.confirm(connection, work.registry, job.repository, tag, newer.digest)
    await remember(managed, job, older.digest, tag=tag, subject=job.image.digest)
    await carry_out(managed, job, older, tag=tag)
    await keeper(managed).look()
    assert await managed.serves(job.repository, tag) == newer.digest


async def test_a_late_signature_of_a_deleted_image_is_removed(managed: Managed) -> None:
    """Nothing that it could belong to is there."""
    job, signature = await managed.ready(), another("signature")
    tag = names_of_companions(digest_of(job))[0]
    assert (await delete(managed.api, job.image_id)).status == 200
    await remember(managed, job, signature.digest, tag=tag, subject=job.image.digest)
    await carry_out(managed, job, signature, tag=tag)
    await keeper(managed).look()
    assert await managed.serves(job.repository, tag) is None


async def test_a_deletion_under_way_is_waited_for(managed: Managed) -> None:
    """It removes the tag itself."""
    job = await managed.ready()
    await remember(managed, job, job.image.digest)
    async with managed.api.database.connection() as connection:
        until = await deletions.begin(connection, job.image_id, user="user", lease=60)
        await keeper(managed).look()
        assert await open_writes(managed) == 1
        await deletions.abandon(connection, job.image_id, until, status=None)


async def test_old_rows_end_without_a_look(managed: Managed) -> None:
    """The target's public name was changed, for instance."""
    job = await managed.ready()
    await remember(managed, job, job.image.digest)
    await managed.api.execute("UPDATE tag_writes SET registry_host = 'old', begun_at = now() - interval '8 days'")
    async with managed.api.database.connection() as connection:
        assert await tag_writes.purge(connection, limit=10) == 1
