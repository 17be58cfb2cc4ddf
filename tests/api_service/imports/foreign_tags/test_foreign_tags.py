"""A tag that no import wrote is replaced only by a request with `force`, by a rule that allows it."""

import asyncio

import pytest

from api_service.imports import target_tag
from api_service.rules.keys import RULE_BOOK
from deploy.local.images.image import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role
from shared.target.management import TargetTag
from tests.api_service.api import BASE, Answer
from tests.api_service.imports.foreign_tags.conftest import TAG, Case
from tests.api_service.managed import Job


def refused(answer: Answer, foreign: Image) -> str:
    """Return the detail of the refusal, which names the tag's digest."""
    assert (answer.status, answer.code) == (409, "target_tag_foreign"), answer
    detail: str = answer.body["detail"]
    assert foreign.digest in detail
    return detail


def job_of(case: Case, answer: Answer) -> Job:
    assert (answer.status, answer.body["state"]) == (200, 1), answer
    return Job(
        api=case.managed.api,
        image=case.image,
        image_id=answer.body["imageId"],
        name=answer.body["name"],
        repository=case.repository,
        tag=TAG,
    )


async def imported(case: Case, *, role: Role = Role.USER, **more: object) -> Job:
    """Import the user's image to its end."""
    job = await job_of(case, await case.post(role=role, **more)).claim()
    await job.tagging()
    await case.managed.push(job)
    assert (await job.ready()).status == 200
    return job


async def count(case: Case) -> int:
    found: int = await case.managed.api.value("SELECT (SELECT count(*) FROM images) + (SELECT count(*) FROM imports)")
    return found


async def test_a_user_cannot_import_over_a_tag_that_a_pipeline_pushed(case: Case) -> None:
    """Neither an image nor an import is added, so that there is nothing to own or to delete."""
    theirs = await case.push()
    assert "does not allow to replace it" in refused(await case.post(), theirs)
    refused(await case.post(force=True), theirs)
    refused(await case.post(dryRun=True), theirs)
    assert await count(case) == 0
    assert await case.serves() == theirs.digest


async def test_its_age_is_in_the_refusal_where_the_target_tells(case: Case) -> None:
    """Harbor does, and a plain registry does not."""
    theirs = await case.push()
    detail = refused(await case.post(), theirs)
    is_harbor = "Authorization" in case.managed.target.headers
    assert (", pushed 20" in detail) is is_harbor


async def test_replacing_needs_force_even_where_a_rule_allows_it(case: Case) -> None:
    theirs = await case.push()
    await case.allow_replacing()
    assert "`force` is needed" in refused(await case.post(), theirs)
    assert await count(case) == 0
    job_of(case, await case.post(force=True))
    assert await case.stored() == (theirs.digest, True)


async def test_an_admin_needs_force_too(case: Case) -> None:
    theirs = await case.push()
    assert "`force` is needed" in refused(await case.post(role=Role.ADMIN), theirs)
    refused(await case.post(role=Role.ADMIN, dryRun=True), theirs)
    dry = await case.post(role=Role.ADMIN, dryRun=True, force=True)
    assert dry.status == 200
    assert dry.body["plan"]["overwrites"]["digest"] == theirs.digest
    job_of(case, await case.post(role=Role.ADMIN, force=True))
    assert await case.stored() == (theirs.digest, True)


async def test_content_that_is_the_same_makes_a_tag_no_less_foreign(case: Case) -> None:
    """Else a copy of the image in a registry of one's own would be enough to own it, and to delete it."""
    await asyncio.to_thread(case.managed.target.push, case.repository, TAG, case.image)
    refused(await case.post(), case.image)


async def test_a_tag_that_does_not_exist_is_recorded(case: Case) -> None:
    job_of(case, await case.post())
    assert await case.stored() == ("", False)


async def test_what_imports_wrote_is_not_foreign(case: Case) -> None:
    """Without any right an owner replaces it."""
    await imported(case)
    job_of(case, await case.post(force=True))
    assert await case.stored() == (case.image.digest, False)


async def test_what_an_import_wrote_before_it_failed_is_not_foreign(case: Case) -> None:
    """The worker was lost after the PUT, before its report."""
    job = await job_of(case, await case.post()).claim()
    await job.tagging()
    await case.managed.push(job)
    assert (await job.fail()).status == 200
    assert (await case.retry(job.image_id)).status == 200
    assert await case.stored() == (case.image.digest, False)


async def test_what_an_import_may_not_have_written_is_foreign(case: Case) -> None:
    """It failed before it had the permission, and a pipeline has pushed the same content."""
    job = job_of(case, await case.post())
    await job.fail_at_once()
    await case.managed.push(job)
    refused(await case.retry(job.image_id), case.image)


async def test_a_tag_that_a_pipeline_moved_is_foreign_to_its_images_owner(case: Case) -> None:
    """The image was ready, and is the user's; the tag is no longer what the import wrote."""
    job = await imported(case)
    theirs = await case.push()
    refused(await case.post(), theirs)
    refused(await case.post(force=True), theirs)
    refused(await case.post(dryRun=True), theirs)
    assert await case.serves() == theirs.digest
    await case.allow_replacing()
    job_of(case, await case.post(force=True))
    assert await case.stored() == (theirs.digest, True)
    assert job.image_id == await case.managed.api.value("SELECT max(id) FROM images")


async def test_a_tag_that_a_pipeline_created_stops_a_retry(case: Case) -> None:
    job = job_of(case, await case.post())
    await job.fail_at_once()
    theirs = await case.push()
    refused(await case.retry(job.image_id), theirs)
    assert await case.managed.api.value("SELECT count(*) FROM imports") == 1
    await case.allow_replacing()
    refused(await case.retry(job.image_id), theirs)


async def test_a_retry_has_the_force_of_its_import(case: Case) -> None:
    theirs = await case.push()
    await case.allow_replacing()
    job = job_of(case, await case.post(force=True))
    await job.fail_at_once()
    assert (await case.retry(job.image_id)).status == 200
    assert await case.stored() == (theirs.digest, True)
    await (await job_of_newest(case, job)).fail_at_once()
    await case.allow_replacing(allowed=False)
    refused(await case.retry(job.image_id), theirs)


async def job_of_newest(case: Case, job: Job) -> Job:
    job.name = await case.managed.api.value("SELECT name FROM imports ORDER BY id DESC LIMIT 1")
    return job


async def test_an_import_whose_tag_became_foreign_leaves_nothing_to_delete(case: Case) -> None:
    """The worker found the pipeline's tag right before its PUT; the image's owner deletes the failed image."""
    job = await job_of(case, await case.post()).claim()
    await job.tagging()
    theirs = await case.push()
    assert (await job.fail("target_tag_foreign")).status == 200
    details = await case.managed.api.get(f"/images/{job.image_id}/importing-details")
    assert (details["state"], details["error"]["code"]) == ("failed", "target_tag_foreign")
    assert not details["error"]["retryable"]
    refused(await case.retry(job.image_id), theirs)
    assert (await case.managed.api.call("DELETE", f"{BASE}/images/{job.image_id}")).status == 200
    assert await case.serves() == theirs.digest


async def test_a_request_for_what_is_there_joins_and_finds_as_before(case: Case) -> None:
    """Neither answer writes a tag, so no right is needed; the running import's own tag is no other's."""
    job = await job_of(case, await case.post()).claim()
    await job.tagging()
    await case.managed.push(job)
    joined = await case.post()
    assert (joined.body["state"], joined.body["name"]) == (1, job.name)
    assert (await job.ready()).status == 200
    assert (await case.post()).body["state"] == 2


@pytest.mark.parametrize("answers", ["late", "with an error"])
async def test_an_import_is_accepted_while_the_target_is_away(
    case: Case, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    """Its worker's first request looks the tag up."""

    async def look_up_tag(*_: object) -> TargetTag | None:
        if answers == "late":
            await asyncio.sleep(60)
        raise LongshoreError(Code.TARGET_UNREACHABLE, "It is away.")

    monkeypatch.setattr(target_tag, "LOOK_DEADLINE", 0.1)
    for kind in ("shared.target.harbor.HarborTarget", "shared.target.plain_registry.PlainRegistry"):
        monkeypatch.setattr(f"{kind}.look_up_tag", look_up_tag)
    job_of(case, await case.post())
    assert await case.stored() == (None, False)


async def test_the_tag_of_a_target_that_another_rule_protects_is_not_told(case: Case) -> None:
    """A refusal by name comes first: it shows nothing about the target."""
    theirs = await case.push()
    await case.managed.api.execute("UPDATE import_rules SET targets = '{other/**}'")
    for dry_run in (False, True):
        answer = await case.post(dryRun=dry_run)
        assert (answer.status, answer.code) == (403, "target_not_allowed")
        assert theirs.digest not in str(answer.body)


async def test_a_retry_below_the_name_of_another_host_is_refused(case: Case) -> None:
    """An earlier release accepted such a name."""
    job = job_of(case, await case.post())
    await job.fail_at_once()
    await case.managed.api.execute("UPDATE images SET repository = 'imports/docker.io/library/postgres'")
    answer = await case.retry(job.image_id)
    assert (answer.status, answer.code) == (403, "target_not_allowed")


async def test_a_dry_run_hides_the_digest_that_it_would_overwrite_from_those_whom_it_does_not_concern(
    case: Case,
) -> None:
    """The tag has the team's private content; a later import from the stranger's source has failed."""
    job = await imported(case)
    api = case.managed.api
    await api.execute("UPDATE import_rules SET sources = $1", [f"{case.managed.source.host}/**"])
    api.client.app[RULE_BOOK].forget()
    await api.execute(
        "UPDATE images SET status = 'failed', source_private = true, digest_source = 'private.example.com/app:1.0'"
    )
    shown = {}
    for name, role in (("stranger", Role.USER), ("admin", Role.ADMIN)):
        options = {"role": None, "token": await api.token(name, role)}
        answer = await api.post_import({**case.body, "dryRun": True, "force": True}, **options)
        assert answer.status == 200, answer
        shown[name] = answer.body["plan"]["overwrites"]["digest"]
    assert shown == {"stranger": "", "admin": job.image.digest}
