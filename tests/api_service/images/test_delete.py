"""DELETE /images/:id: who may, what goes from the target, what stands in its way, and what a crash leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from api_service.auth.identity import Identity
from api_service.images.deletion import begin as begin_deletion
from api_service.images.deletion import carry_out as carry_out_deletion
from api_service.images.deletion import delete_image
from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.deletion.resume import resume_deletions
from api_service.images.keys import DELETION, VERIFIER
from api_service.images.patrol import verify_batch
from api_service.parts import Part, images_part
from api_service.settings import Settings
from api_service.web.keys import MANAGEMENT
from deploy.local.images.image import Manifest
from deploy.local.servers.harbor.rules import Rule
from deploy.local.servers.harbor.server import immutable_rule
from deploy.local.servers.harbor.settings import Settings as HarborSettings
from deploy.local.servers.harbor.settings import User
from deploy.local.stack import Registry, Remote, synthetic_image
from shared.db import blobs, deletions
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ReportedState
from shared.model.credential import Credential
from shared.model.roles import Role
from shared.oci.digest import Digest
from shared.target.management import Removal, TargetManagement
from shared.target.plain_registry import untag_marker
from shared.target.settings import TargetKind, TargetSettings
from tests.api_service.api import BASE, Answer, Api, until
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi, Source
from tests.api_service.managed import PROJECT, Job, Managed
from tests.shared.harbor.conftest import ADMIN, StandIn, standing_in

OWNER = Identity(user="user", role=Role.USER)
OpenManaged = Callable[..., AbstractAsyncContextManager[Managed]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A target, and how its own clients reach it."""

    target: TargetSettings
    remote: Remote


@pytest.fixture
async def standin(target_registry: Registry) -> AsyncIterator[StandIn]:
    """A Harbor in front of docker-registry."""
    admin = User(name=ADMIN.username, password=ADMIN.password, admin=True)
    async with standing_in(HarborSettings(users=(admin,)), target_registry.url) as running:
        running.state.create_project(PROJECT)
        yield running


@pytest.fixture
def plain(target_registry: Registry) -> Place:
    return Place(target=TargetSettings(host=target_registry.host, credential=None), remote=Remote.of(target_registry))


@pytest.fixture
def harbor(standin: StandIn) -> Place:
    target = TargetSettings(host=standin.host, credential=ADMIN, kind=TargetKind.HARBOR)
    return Place(target=target, remote=standin.remote())


@pytest.fixture(params=TargetKind)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of target in turn."""
    found: Place = request.getfixturevalue("harbor" if request.param is TargetKind.HARBOR else "plain")
    return found


@pytest.fixture
def opened(open_api: OpenApi, settings: Settings, source: Source) -> OpenManaged:
    """Starts an API before a target; `parts` replaces what it is made of."""

    @asynccontextmanager
    async def opened(place: Place, parts: Sequence[Part] = REQUESTS_ONLY) -> AsyncIterator[Managed]:
        async with open_api(replace(settings, shared=replace(settings.shared, target=place.target)), parts) as api:
            yield Managed(api=api, source=source, target=place.remote)

    return opened


@pytest.fixture
async def managed(opened: OpenManaged, place: Place) -> AsyncIterator[Managed]:
    """An API before each kind of target."""
    async with opened(place) as managed:
        yield managed


@pytest.fixture
async def on_plain(opened: OpenManaged, plain: Place) -> AsyncIterator[Managed]:
    """An API before a plain registry."""
    async with opened(plain) as managed:
        yield managed


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that have to wait for something give up soon."""
    monkeypatch.setattr(begin_deletion, "BEGIN_DEADLINE", 0.3)


async def delete(api: Api, image_id: int, **options: Any) -> Answer:
    return await api.call("DELETE", f"{BASE}/images/{image_id}", **options)


def work(managed: Managed) -> DeletionWork:
    found: DeletionWork = managed.api.client.app[DELETION].work
    return found


async def finish(managed: Managed) -> None:
    """Let the leases run out, and whoever finishes deletions look once."""
    await managed.api.execute(
        "UPDATE images SET deletion_lease_until = now() - interval '1 s' WHERE deletion_lease_until IS NOT NULL"
    )
    await resume_deletions(work(managed))


async def marked(api: Api) -> int:
    count: int = await api.value("SELECT count(*) FROM images WHERE deletion_lease_until IS NOT NULL")
    return count


async def exists(api: Api, image_id: int) -> bool:
    return (await api.call("GET", f"{BASE}/images/{image_id}")).status == 200


# What goes.


async def test_a_deleted_image_is_gone_from_the_list_and_from_the_target(managed: Managed) -> None:
    """200 without a body, as the contract has it; a header says what went from the target."""
    job = await managed.ready()
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.body, answer.headers["X-Longshore-Removed"]) == (200, "", "manifest")
    assert await managed.serves(job.repository, job.tag) is None
    assert await managed.serves(job.repository, job.image.digest) is None
    assert (await managed.api.get("/images"))["totalCount"] == 0


async def test_a_second_delete_finds_nothing(managed: Managed) -> None:
    """404, as for every image that is not there."""
    job = await managed.ready()
    await delete(managed.api, job.image_id)
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.code) == (404, "image_not_found")


@pytest.mark.parametrize("image_id", ["4711", "0", "abc", "-1", "9" * 30])
async def test_an_unknown_image_is_not_found(api: Api, image_id: str) -> None:
    """Also where the id cannot be one."""
    answer = await api.call("DELETE", f"{BASE}/images/{image_id}")
    assert (answer.status, answer.code) == (404, "image_not_found")


async def test_an_image_can_be_imported_again_after_its_deletion(managed: Managed) -> None:
    """Under the same name, with the same content."""
    job = await managed.ready()
    await delete(managed.api, job.image_id)
    again = await managed.ready(job.image, repository=job.repository)
    assert await managed.serves(again.repository, again.tag) == job.image.digest


@pytest.mark.parametrize("first", [0, 1])
async def test_siblings_on_one_digest_go_one_by_one(managed: Managed, first: int) -> None:
    """The other one still serves the image; with the second the manifest goes."""
    one = await managed.ready()
    two = await managed.ready(one.image, repository=one.repository, tag="2.0")
    gone, left = (one, two) if first == 0 else (two, one)
    answer = await delete(managed.api, gone.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "tag")
    assert await managed.serves(one.repository, gone.tag) is None
    assert await managed.serves(one.repository, left.tag) == one.image.digest
    answer = await delete(managed.api, left.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "manifest")
    assert await managed.serves(one.repository, one.image.digest) is None


async def test_a_sibling_that_the_target_lost_keeps_no_manifest(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """Somebody took its tag off: with the other tag the artifact goes, instead of staying without any."""
    async with opened(harbor) as managed:
        one = await managed.ready()
        lost = await managed.ready(one.image, repository=one.repository, tag="2.0")
        del standin.state.repository(one.repository).tags["2.0"]
        await verify_batch(managed.api.client.app[VERIFIER])
        answer = await delete(managed.api, one.image_id)
        assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "manifest")
        assert (await delete(managed.api, lost.image_id)).headers["X-Longshore-Removed"] == "nothing"


async def test_siblings_that_are_deleted_at_once_leave_nothing(managed: Managed) -> None:
    """Neither counts on the other to keep the manifest, and neither leaves it behind."""
    jobs = [await managed.ready()]
    for tag in ("2.0", "3.0", "4.0"):
        jobs.append(await managed.ready(jobs[0].image, repository=jobs[0].repository, tag=tag))
    answers = await asyncio.gather(*(delete(managed.api, job.image_id) for job in jobs))
    assert [answer.status for answer in answers] == [200, 200, 200, 200]
    for reference in (*(job.tag for job in jobs), jobs[0].image.digest):
        assert await managed.serves(jobs[0].repository, reference) is None


async def test_a_tag_that_longshore_does_not_know_is_never_lost(managed: Managed) -> None:
    """Somebody gave the image another tag in the target."""
    job = await managed.ready()
    await managed.push(job, "by-hand")
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "tag")
    assert await managed.serves(job.repository, job.tag) is None
    assert await managed.serves(job.repository, "by-hand") == job.image.digest


async def test_a_tag_that_somebody_moved_stays(managed: Managed) -> None:
    """It is theirs now; the image and what it was are deleted."""
    job = await managed.ready()
    other = synthetic_image("moved", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    assert (await delete(managed.api, job.image_id)).status == 200
    assert await managed.serves(job.repository, job.tag) == other.digest
    assert await managed.serves(job.repository, job.image.digest) is None


async def test_an_image_that_never_came_leaves_the_target_alone(managed: Managed) -> None:
    """Its import failed before it could write the tag; what is there is somebody else's."""
    job = await (await managed.start()).claim()
    await job.fail()
    other = synthetic_image("theirs", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "nothing")
    assert await managed.serves(job.repository, job.tag) == other.digest


async def test_a_tag_of_an_import_that_failed_after_it_goes(managed: Managed) -> None:
    """The import had leave to write the tag and did, but never said that it was ready."""
    job = await (await managed.start()).claim()
    await job.tagging()
    await managed.push(job)
    await job.fail("target_refused")
    assert (await delete(managed.api, job.image_id)).headers["X-Longshore-Removed"] == "manifest"
    assert await managed.serves(job.repository, job.tag) is None


async def test_somebody_elses_tag_survives_an_import_that_could_not_write_it(managed: Managed) -> None:
    """Leave to write a tag is not yet a tag: what it points to is compared."""
    job = await (await managed.start()).claim()
    await job.tagging()
    other = synthetic_image("kept", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    await job.fail("target_refused")
    assert (await delete(managed.api, job.image_id)).headers["X-Longshore-Removed"] == "nothing"
    assert await managed.serves(job.repository, job.tag) == other.digest


async def test_an_image_of_a_target_that_was_replaced_is_only_forgotten(on_plain: Managed) -> None:
    """The new target may have another image of that name."""
    job = await on_plain.ready()
    await on_plain.api.execute("UPDATE images SET registry_host = 'old.example.com'")
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "nothing")
    assert await on_plain.serves(job.repository, job.tag) == job.image.digest


async def test_blobs_of_a_deleted_image_are_no_longer_offered_for_mounts(on_plain: Managed) -> None:
    """But for those that another image of the repository has."""
    job = await on_plain.ready()
    other = await on_plain.ready(repository=job.repository, tag="2.0")
    host = work(on_plain).registry
    async with on_plain.api.database.connection() as connection:
        for each in (job, other):
            await blobs.record(connection, host, job.repository, [blob.digest for blob in each.image.blobs])
        await blobs.record(connection, host, "imports/elsewhere", [blob.digest for blob in job.image.blobs])
    await delete(on_plain.api, job.image_id)
    async with on_plain.api.database.connection() as connection:
        digests = [blob.digest for blob in (*job.image.blobs, *other.image.blobs)]
        known = await blobs.repositories_with(connection, host, digests, other_than="imports/elsewhere")
    assert known == {blob.digest: job.repository for blob in other.image.blobs}


# Who may.


async def test_only_the_owner_and_admins_may_delete(on_plain: Managed) -> None:
    """Everybody sees an image; workers and strangers may not change it."""
    api = on_plain.api
    ada = await api.token("ada")
    job = await on_plain.ready(token=ada)
    for options in ({"role": Role.USER}, {"role": Role.WORKER}):
        answer = await delete(api, job.image_id, **options)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert (await delete(api, job.image_id, role=None)).status == 401
    assert await on_plain.serves(job.repository, job.tag) == job.image.digest
    assert (await delete(api, job.image_id, token=ada)).status == 200
    job = await on_plain.ready(token=ada)
    assert (await delete(api, job.image_id, role=Role.ADMIN)).status == 200


# Imports under way.


async def test_a_queued_import_is_stopped(on_plain: Managed) -> None:
    """No worker can claim it any more."""
    job = await on_plain.start()
    assert (await delete(on_plain.api, job.image_id)).status == 200
    with pytest.raises(AssertionError):
        await job.claim()


async def test_a_running_imports_worker_is_told_to_stop(on_plain: Managed) -> None:
    """With its next report; its image is gone."""
    job = await (await on_plain.start()).claim()
    await job.send()
    assert (await delete(on_plain.api, job.image_id)).status == 200
    answer = await job.send()
    assert (answer.status, answer.code) == (404, "import_not_found")


async def test_a_worker_that_reports_during_the_deletion_is_told_to_stop(on_plain: Managed) -> None:
    """409 while the row is still there."""
    job = await (await on_plain.start()).claim()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    for answer in (await job.send(), await job.tagging()):
        assert (answer.status, answer.code) == (409, "import_superseded")


@pytest.mark.usefixtures("hurried")
async def test_an_import_that_writes_its_tag_is_not_stopped(on_plain: Managed) -> None:
    """409 with a time to come back, when it has ended."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "import_finishing", "5")
    await on_plain.push(job)
    assert (await job.ready()).status == 200
    assert (await delete(on_plain.api, job.image_id)).status == 200
    assert await on_plain.serves(job.repository, job.tag) is None


async def test_a_delete_waits_for_a_tag_that_is_being_written(on_plain: Managed) -> None:
    """A few seconds, which is longer than it takes."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    deleting = asyncio.create_task(delete(on_plain.api, job.image_id))
    await asyncio.sleep(0.5)
    assert not deleting.done()
    await on_plain.push(job)
    await job.ready()
    assert (await deleting).headers["X-Longshore-Removed"] == "manifest"


@pytest.mark.usefixtures("hurried")
async def test_a_later_attempt_that_only_copies_may_be_stopped(on_plain: Managed) -> None:
    """The leave to write a tag was the lost attempt's, not this one's."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    await job.send(ReportedState.HANDED_BACK)
    await job.claim()
    await job.send()
    assert (await delete(on_plain.api, job.image_id)).status == 200


@pytest.mark.usefixtures("hurried")
async def test_a_siblings_tag_that_is_being_written_holds_a_delete_up(on_plain: Managed) -> None:
    """Perhaps with the manifest that would be deleted; another repository's tags do not."""
    job = await on_plain.ready()
    elsewhere = await (await on_plain.start(job.image)).claim()
    await elsewhere.tagging()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    await sibling.tagging()
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.code) == (409, "import_finishing")
    await on_plain.push(sibling)
    await sibling.ready()
    assert (await delete(on_plain.api, job.image_id)).headers["X-Longshore-Removed"] == "tag"
    assert await on_plain.serves(job.repository, "2.0") == job.image.digest


async def test_no_tag_is_written_while_a_deletion_is_under_way(on_plain: Managed) -> None:
    """The worker is told to ask again, its lease is renewed meanwhile, and afterwards it gets leave."""
    job = await on_plain.ready()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    elsewhere = await (await on_plain.start(job.image)).claim()
    begun = await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    answer = await sibling.tagging()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "repository_busy", "2")
    assert (await sibling.send()).status == 200
    assert (await elsewhere.tagging()).status == 200
    assert await work(on_plain).carry_out(begun) is Removal.MANIFEST
    assert (await sibling.tagging()).status == 200


async def test_deletions_and_tags_of_one_repository_never_overlap(on_plain: Managed) -> None:
    """Both asked for at once, many times: whoever comes second waits or is turned away, and no tag is lost."""
    for _ in range(8):
        job = await on_plain.ready()
        sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()

        async def write(sibling: Job = sibling) -> None:
            while (await sibling.tagging()).status == 503:
                continue
            await on_plain.push(sibling)
            assert (await sibling.ready()).status == 200

        answer, _ = await asyncio.gather(delete(on_plain.api, job.image_id), write())
        assert answer.status == 200
        assert await on_plain.serves(job.repository, "2.0") == job.image.digest
        assert await on_plain.serves(job.repository, "1.0") is None


@pytest.mark.usefixtures("hurried")
async def test_nothing_new_is_begun_with_an_image_that_is_being_deleted(on_plain: Managed) -> None:
    """409 with a time to come back: import, retry and a second delete alike."""
    api = on_plain.api
    job = await (await on_plain.start()).claim()
    await job.fail()
    shown = await api.get(f"/images/{job.image_id}")
    await begin_deletion.begin_deletion(api.database, job.image_id, OWNER)
    target = f"{job.repository}:{job.tag}"
    for answer in (
        await api.post_import({"source": shown["source"], "target": target}),
        await api.call("POST", f"{BASE}/images/{job.image_id}/importing:retry"),
        await delete(api, job.image_id),
    ):
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "image_being_deleted", "5")
    assert await api.get(f"/images/{job.image_id}") == shown


# What goes wrong.


async def test_a_target_that_is_away_leaves_the_image_as_it_was(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """502, and the mark is gone, so that the next try can succeed."""
    job = await on_plain.ready()
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        answer = await delete(broken.api, job.image_id)
        assert (answer.status, answer.code) == (502, "target_unreachable")
    assert await marked(on_plain.api) == 0
    assert (await on_plain.api.get(f"/images/{job.image_id}"))["status"] == "ready"
    assert (await delete(on_plain.api, job.image_id)).status == 200


async def test_an_import_that_a_failed_deletion_stopped_has_failed(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """It was cancelled for good; an image that was ready before still is."""
    fresh = await (await on_plain.start()).claim()
    old = await on_plain.ready()
    again = await on_plain.start(repository=old.repository)
    assert again.image_id == old.image_id
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        for job in (fresh, again):
            assert (await delete(broken.api, job.image_id)).status == 502
    shown = [await on_plain.api.get(f"/images/{job.image_id}") for job in (fresh, again)]
    assert [(image["status"], image["import"]["state"]) for image in shown] == [
        ("failed", "cancelled"),
        ("ready", "cancelled"),
    ]


@dataclass
class Failing:
    """A target that removes tags, or does not, and then fails, once."""

    real: TargetManagement
    removes: bool
    code: Code = Code.TARGET_UNAVAILABLE
    failures: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        if not self.failures:
            return await self.real.remove_tag(repository, tag, digest, siblings=siblings)
        self.failures -= 1
        if self.removes:
            await self.real.remove_tag(repository, tag, digest, siblings=siblings)
        raise LongshoreError(self.code, "It failed, for the test.")


def failing(**how: Any) -> Sequence[Part]:
    """Return the parts of an API whose target fails."""

    async def target_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Failing(app[MANAGEMENT], **how)
        yield

    return (*(part for part in REQUESTS_ONLY if part is not images_part), target_part, images_part)


async def test_a_failure_that_left_the_tag_in_place_leaves_the_image_ready(opened: OpenManaged, place: Place) -> None:
    """It was looked at; the mark is gone."""
    async with opened(place, failing(removes=False)) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code) == (502, "target_unavailable")
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"
        assert (await delete(managed.api, job.image_id)).status == 200


async def test_a_failure_after_the_tag_has_gone_is_gone_on_with(opened: OpenManaged, place: Place) -> None:
    """The image is not called ready any more, and is gone as soon as the target works again."""
    async with opened(place, failing(removes=True)) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 502
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"
        await finish(managed)
        assert not await exists(managed.api, job.image_id)


async def test_a_permanent_failure_after_the_tag_has_gone_ends_the_deletion(opened: OpenManaged, place: Place) -> None:
    """The tag was what was to go; that its manifest may not is no reason to keep the image."""
    async with opened(place, failing(removes=True, code="target_delete_refused")) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 200
        assert not await exists(managed.api, job.image_id)


async def test_a_manifest_that_never_goes_does_not_keep_the_image(opened: OpenManaged, place: Place) -> None:
    """Its tag is gone; all imports into the repository would wait for the rest."""
    async with opened(place, failing(removes=True, failures=100)) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 502
        await finish(managed)
        assert not await exists(managed.api, job.image_id)


async def test_a_deletion_that_was_left_ends_where_the_target_no_longer_lets_us_look(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """Waiting would not help: the image is not called ready, and may be deleted again."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
        wrong = replace(harbor, target=replace(harbor.target, credential=Credential("admin", "wrong")))
        async with opened(wrong) as locked_out:
            await finish(locked_out)
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"
        assert (await delete(managed.api, job.image_id)).status == 200


async def test_a_target_that_is_too_slow_is_not_waited_for(
    opened: OpenManaged, plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is far below the lease, so that nobody else begins meanwhile."""
    monkeypatch.setattr(carry_out_deletion, "DEADLINE", 0.3)
    assert carry_out_deletion.DEADLINE * 2 < begin_deletion.LEASE

    class Slow(Failing):
        async def remove_tag(self, *_: Any, **__: Any) -> Removal:
            await asyncio.sleep(30)
            raise AssertionError("nobody stopped it")

    async def slow_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Slow(app[MANAGEMENT], removes=False)
        yield

    parts = (*(part for part in REQUESTS_ONLY if part is not images_part), slow_part, images_part)
    async with opened(plain, parts) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code) == (504, "target_stalled")
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"


async def test_a_deletion_at_a_slow_target_goes_on_without_its_request(
    opened: OpenManaged, plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504 within five seconds; the image is gone when the target is done, and not marked for another one to begin."""
    assert delete_image.DELETION_DEADLINE < 5
    monkeypatch.setattr(delete_image, "DELETION_DEADLINE", 0.2)
    free = asyncio.Event()

    class Slow(Failing):
        async def remove_tag(self, *given: Any, **named: Any) -> Removal:
            await free.wait()
            return await self.real.remove_tag(*given, **named)

    async def slow_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Slow(app[MANAGEMENT], removes=False)
        yield

    parts = (*(part for part in REQUESTS_ONLY if part is not images_part), slow_part, images_part)
    async with opened(plain, parts) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (504, "deletion_unfinished", "5")
        assert await exists(managed.api, job.image_id)
        free.set()

        async def gone() -> bool:
            return not await exists(managed.api, job.image_id)

        await until(gone)
        assert await managed.serves(job.repository, job.tag) is None


async def test_an_immutable_tag_is_named_and_its_image_stays(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """409 with Harbor's reason."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        rule = Rule.from_json(immutable_rule("**", job.tag))
        standin.state.project(PROJECT).rules[standin.state.next_id()] = rule
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code, answer.body["side"]) == (409, "target_immutable_tag", "target")
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"


async def test_a_part_of_an_index_in_harbor_stays(opened: OpenManaged, harbor: Place) -> None:
    """409 that says that another image is made of it."""
    async with opened(harbor) as managed:
        whole = await managed.ready()
        part = await (await managed.start(whole.image, repository=whole.repository, tag="amd64")).claim()
        await part.tagging()
        child = whole.image.children[0]
        await asyncio.to_thread(managed.target.push_manifest, whole.repository, "amd64", child)
        part.image = replace(whole.image, root=child, children=())
        await part.ready()
        answer = await delete(managed.api, part.image_id)
        assert (answer.status, answer.code) == (409, "target_artifact_referenced")
        assert await managed.serves(whole.repository, "amd64") == child.digest


# Crashes.


async def test_a_crash_before_the_target_was_asked_is_finished(managed: Managed) -> None:
    """The mark alone says what is to be done."""
    job = await managed.ready()
    await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
    await finish(managed)
    assert not await exists(managed.api, job.image_id)
    assert await managed.serves(job.repository, job.tag) is None


async def test_a_crash_after_the_target_was_asked_is_finished(managed: Managed) -> None:
    """The tag and its manifest are gone, the row is not."""
    job = await managed.ready()
    await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
    await work(managed).target.remove_tag(job.repository, job.tag, Digest.parse(job.image.digest), siblings=False)
    await finish(managed)
    assert not await exists(managed.api, job.image_id)


async def test_a_crash_between_tag_and_manifest_is_finished(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """In Harbor the tag goes first; an artifact without tags must not stay behind."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
        del standin.state.repository(job.repository).tags[job.tag]
        await finish(managed)
        assert await managed.serves(job.repository, job.image.digest) is None


async def test_a_crash_while_the_tag_was_moved_away_is_finished(on_plain: Managed) -> None:
    """In a plain registry a tag is taken off a manifest that stays by pointing it to one that goes."""
    job = await on_plain.ready()
    sibling = await on_plain.ready(job.image, repository=job.repository, tag="2.0")
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    marker = untag_marker(job.repository, job.tag)
    moved = Manifest(media_type=marker.media_type, body=marker.content)
    await asyncio.to_thread(on_plain.target.push_manifest, job.repository, job.tag, moved)
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
    assert await on_plain.serves(job.repository, job.tag) is None
    assert await on_plain.serves(job.repository, sibling.tag) == job.image.digest


async def test_a_deletion_that_is_under_way_is_left_alone(on_plain: Managed) -> None:
    """Until its lease has run out."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await resume_deletions(work(on_plain))
    assert await exists(on_plain.api, job.image_id)


async def test_a_delete_goes_on_with_one_that_was_left(on_plain: Managed) -> None:
    """Whoever comes first after the lease has run out."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = now() - interval '1 s'")
    assert (await delete(on_plain.api, job.image_id)).status == 200


async def test_a_deletion_that_was_left_waits_for_a_tag_that_is_being_written(on_plain: Managed) -> None:
    """As a new one does. No leave is given once it is marked, so that only an earlier one can be in the way."""
    job = await on_plain.ready()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    await sibling.tagging()
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = now() WHERE id = $1", job.image_id)
    await finish(on_plain)
    assert await exists(on_plain.api, job.image_id)
    await on_plain.push(sibling)
    await sibling.ready()
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
    assert await on_plain.serves(job.repository, "2.0") == job.image.digest


async def test_one_that_comes_too_late_deletes_nothing(on_plain: Managed) -> None:
    """Its lease is somebody else's by now, or the image is no longer to be deleted."""
    job = await on_plain.ready()
    begun = await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = NULL")
    async with on_plain.api.database.connection() as connection:
        await deletions.finish(connection, job.image_id, begun.until)
    assert await exists(on_plain.api, job.image_id)


async def test_a_deletion_that_was_left_outlasts_a_target_that_is_away(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """Nobody knows how far it came: it stays marked, is not called ready, and goes on when the target is back."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        await finish(broken)
    assert await marked(on_plain.api) == 1
    assert (await on_plain.api.get(f"/images/{job.image_id}"))["status"] == "failed"
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
