"""POST /images:import/:name/begin: a claimed import is checked again, and its attempt gets its terms."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from api_service.settings import Settings
from shared.messages.attempt_start import NO_TAG, AttemptTerms, ExpectedTag
from shared.messages.progress_report import ReportedState
from shared.model.credential import Credential
from shared.model.owner import Owner, Requester
from shared.model.progress import LayerProgress
from shared.model.roles import Role
from shared.model.sealed_account import seal_account
from shared.oci import media_types
from tests.api_service.api import Api
from tests.api_service.imports.attempt.queue import ADA, Queue, Queued, until_answered
from tests.api_service.imports.reports import CONTENT, A, B, Worker, outcome
from tests.scripted.hostile import Answer as Scripted
from tests.scripted.hostile import HostileRegistry

ACCOUNT = Credential("reader", "hunter2")


def serves(target: HostileRegistry, queued: Queued, digest: str | None) -> None:
    """Let the target's tag point to this digest."""
    path = f"/v2/team/app/manifests/{queued.name}"
    headers = {"Content-Type": media_types.OCI_MANIFEST, "Docker-Content-Digest": digest or "", "Content-Length": "2"}
    target.on("HEAD", path, Scripted(headers=headers) if digest else Scripted(status=404))


async def test_an_attempt_gets_its_terms(queue: Queue) -> None:
    """Its rule allows the import, and has no limit in bytes."""
    queued = await queue.claimed(await queue.rule(create_projects=True), account=ACCOUNT)
    terms = await queued.terms()
    assert replace(terms, seconds_left=None) == AttemptTerms(credential=ACCOUNT, tag=ExpectedTag(before=NO_TAG))


async def test_terms_have_the_time_until_the_deadline(queue: Queue, settings: Settings) -> None:
    """It counts from the first attempt on, waits included; a later attempt gets what is left."""
    queued = await queue.claimed(await queue.rule())
    first = (await queued.terms()).seconds_left
    assert first is not None
    assert settings.deadline - 60 < first <= settings.deadline
    await queue.api.execute("UPDATE imports SET started_at = started_at - interval '1 hour'")
    second = (await queued.terms()).seconds_left
    assert second is not None
    assert second == pytest.approx(first - 3600, abs=60)
    await queue.api.execute("UPDATE imports SET started_at = started_at - interval '9 days'")
    assert (await queued.terms()).seconds_left == 0


@pytest.mark.parametrize("limit", [{"max_image_bytes": 1_000}, {"max_bytes_per_month": 10_000}])
async def test_terms_say_what_the_rule_grants(queue: Queue, limit: dict[str, Any]) -> None:
    """The worker creates no project by itself, and has the image's bytes admitted."""
    terms = await (await queue.claimed(await queue.rule(**limit))).terms()
    assert (terms.may_create_project, terms.limited) == (False, True)
    assert terms.max_image_bytes == limit.get("max_image_bytes")


async def test_the_same_request_gets_the_same_answer(queue: Queue) -> None:
    """The first answer may have been lost."""
    queued = await queue.claimed(await queue.rule(), account=ACCOUNT)
    answers = [await queued.begin() for _ in range(3)]
    # Only the time that is left passes.
    assert [answer.body | {"secondsLeft": 0} for answer in answers] == 3 * [answers[0].body | {"secondsLeft": 0}]
    assert answers[0].body["credentials"] == {"username": "reader", "password": "hunter2"}


async def test_a_rule_that_is_gone_stops_the_import(queue: Queue) -> None:
    """The import fails with the refusal that its request would get now; a repetition hears the same."""
    rule = await queue.rule()
    queued = await queue.claimed(rule, account=ACCOUNT)
    await queue.delete_rule(rule)
    for _ in range(2):
        assert (await queued.begin()).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "source_not_allowed")
    assert "ada" in await queued.value("error_detail")
    assert await queued.value("credentials") is None
    image = await queue.api.get(f"/images/{queued.image_id}")
    assert image["status"] == "failed"


async def test_an_import_goes_on_by_another_rule(queue: Queue) -> None:
    """Its terms are those of the rule that allows it now."""
    gone, other = await queue.rule(create_projects=True), await queue.rule(max_image_bytes=5)
    queued = await queue.claimed(gone)
    await queue.delete_rule(gone)
    terms = await queued.terms()
    assert (terms.may_create_project, terms.max_image_bytes) == (False, 5)
    assert await queued.value("rule_id") == other


async def test_an_import_stays_with_its_rule_while_that_allows_it(queue: Queue) -> None:
    """An older rule does not take it over: limits are counted by the rule that accepted it."""
    await queue.rule(max_image_bytes=5)
    own = await queue.rule()
    assert not (await (await queue.claimed(own)).terms()).limited


async def test_open_imports_do_not_count_twice(queue: Queue) -> None:
    """They were counted when the import was accepted; a limit that was lowered since ends no import."""
    rule = await queue.rule(max_open_imports=3)
    first = await queue.claimed(rule)
    for _ in range(2):
        await queue.add(rule)
    await queue.change(rule, "max_open_imports = 1")
    await first.terms()


async def test_imports_that_lose_their_rule_pass_no_limit_of_another(queue: Queue) -> None:
    """Twenty begin at once; the other rule has room for five open imports."""
    gone, other = await queue.rule(), await queue.rule(max_open_imports=5)
    imports = [await queue.claimed(gone) for _ in range(20)]
    await queue.delete_rule(gone)
    answers = await asyncio.gather(*(until_answered(queued.begin) for queued in imports))
    actions = [answer.body["action"] for answer in answers]
    assert (actions.count("continue"), actions.count("stop")) == (5, 15)
    by_rule = "SELECT count(*) FROM imports WHERE rule_id = $1 AND state = 'running'"
    assert await queue.api.value(by_rule, other) == 5
    codes = {await queued.value("error_code") for queued in imports}
    assert codes == {None, "limit_reached"}


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (replace(ADA, groups=frozenset({"dev"})), None),
        (replace(ADA, owner=Owner(issuer="https://issuer", subject="42"), groups=frozenset({"dev"})), None),
        (ADA, "source_not_allowed"),
        (replace(ADA, role=Role.ADMIN), None),
        (replace(ADA, role=None), None),
    ],
    ids=["in the group", "of an issuer", "in no group", "admin", "before there were rules"],
)
async def test_the_requester_of_then_is_checked_by_the_rules_of_now(
    queue: Queue, by: Requester, code: str | None
) -> None:
    """The groups are those that the request proved. Admins need no rule, and older imports are not checked."""
    queued = await queue.claimed(await queue.rule(subjects=("group:dev",)), by=by)
    answer = await queued.begin()
    assert answer.body["action"] == ("stop" if code else "continue")
    assert await queued.value("error_code") == code


async def test_an_account_that_cannot_be_opened_ends_the_import(queue: Queue) -> None:
    """It was sealed for another host: a row of the database was changed."""
    queued = await queue.claimed(await queue.rule())
    sealed = seal_account(queue.secrets, ACCOUNT, host="elsewhere.example")
    await queue.api.execute("UPDATE imports SET credentials = $2 WHERE id = $1", queued.id, sealed)
    assert (await queued.begin()).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "credentials_unreadable")


async def test_a_tag_that_nobody_could_look_up_is_looked_up_now(queue: Queue, target: HostileRegistry) -> None:
    """It stays what it was found to be, so that a later change is noticed."""
    queued = await queue.claimed(await queue.rule(overwrite_foreign=True), tag_before=None, force=True)
    serves(target, queued, A)
    assert (await queued.terms()).tag.before == A
    serves(target, queued, B)
    assert (await queued.terms()).tag.before == A
    assert await queued.value("replaces_foreign") is True


async def test_a_tag_that_does_not_exist_is_remembered_as_such(queue: Queue, target: HostileRegistry) -> None:
    queued = await queue.claimed(await queue.rule(), tag_before=None)
    serves(target, queued, None)
    assert (await queued.terms()).tag.before == NO_TAG


async def test_a_foreign_tag_found_now_ends_the_import(queue: Queue, target: HostileRegistry) -> None:
    """The target was away when the import was accepted."""
    queued = await queue.claimed(await queue.rule(), tag_before=None)
    serves(target, queued, A)
    assert (await queued.begin()).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "target_tag_foreign")
    assert A in await queued.value("error_detail")


async def test_a_foreign_tag_needs_the_right_until_the_attempt_begins(queue: Queue) -> None:
    """The rule allowed to replace it when the import was accepted, and does not any more."""
    rule = await queue.rule(overwrite_foreign=True)
    queued = await queue.claimed(rule, tag_before=A, force=True, replaces_foreign=True)
    await queue.change(rule, "overwrite_foreign = false")
    assert (await queued.begin()).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "target_tag_foreign")


async def test_digests_of_earlier_imports_may_be_replaced(queue: Queue) -> None:
    """An attempt that wrote the tag may have been lost before it reported that."""
    rule = await queue.rule()
    queued = await queue.claimed(rule)
    await queued.terms()
    worker = Worker(queue.api, queued.name, queued.image_id, queued.attempt, iter(range(1, 9)))
    await worker.send(ReportedState.TAGGING, tag_digest=B)
    await worker.send(ReportedState.HANDED_BACK)
    assert (await (await queued.claim()).terms()).tag == ExpectedTag(before=NO_TAG, replaceable=frozenset({B}))


async def test_a_target_that_is_away_is_the_attempts_error(queue: Queue, target: HostileRegistry) -> None:
    """The worker reports it, and the API decides about another attempt."""
    queued = await queue.claimed(await queue.rule(), tag_before=None)
    target.on("HEAD", f"/v2/team/app/manifests/{queued.name}", Scripted(status=503))
    answer = await queued.begin()
    assert (answer.status, answer.code) == (502, "target_unavailable")
    assert await queued.value("state") == "running"


async def test_another_attempt_gets_nothing(queue: Queue) -> None:
    """A worker that lost its import must not learn the account."""
    queued = await queue.claimed(await queue.rule(), account=ACCOUNT)
    await Worker(queue.api, queued.name, queued.image_id, queued.attempt, iter([1])).send(ReportedState.HANDED_BACK)
    again = await queued.claim()
    late = await queued.begin()
    assert (late.status, late.code) == (409, "import_superseded")
    assert (await again.terms()).credential == ACCOUNT


@pytest.mark.parametrize("what", ["begin", "admit"])
async def test_an_import_that_does_not_run_begins_nothing(queue: Queue, what: str) -> None:
    queued = replace(await queue.add(await queue.rule()), attempt=1)
    answer = await (queued.begin() if what == "begin" else queued.admit(1))
    assert (answer.status, answer.code) == (409, "import_superseded")
    unknown = replace(queued, name="app-1.0-unknown")
    answer = await (unknown.begin() if what == "begin" else unknown.admit(1))
    assert (answer.status, answer.code) == (404, "import_not_found")


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN, None])
async def test_accounts_are_for_workers_alone(queue: Queue, role: Role | None) -> None:
    """Not even an administrator reads the account of an import."""
    queued = await queue.claimed(await queue.rule(), account=ACCOUNT)
    for ask in (queue.api.begin(queued.name, role=role), queue.api.admit(queued.name, 1, role=role)):
        assert (await ask).status == (403 if role else 401)


async def test_a_worker_of_an_older_release_is_sent_away(queue: Queue, api: Api) -> None:
    """It copies without terms. Its import waits for another worker, and the attempt does not count."""
    queued = await queue.claimed(await queue.rule())
    worker = Worker(api, queued.name, queued.image_id, queued.attempt, iter(range(1, 9)))
    assert outcome(await worker.send()) == (200, "continue")
    assert outcome(await worker.send(layers={A: LayerProgress(size=10)})) == (200, "stop")
    assert await queued.failure() == ("waiting", "api_refused")
    assert await queued.value("failures") == 0
    assert "older release" in (await worker.details())["message"]
    await worker.due_now()
    await (await queued.claim()).terms()


@pytest.mark.parametrize("state", [ReportedState.TAGGING, ReportedState.READY])
async def test_no_tag_is_written_without_terms(queue: Queue, api: Api, state: ReportedState) -> None:
    """The permission to write the tag needs them, too."""
    queued = await queue.claimed(await queue.rule())
    worker = Worker(api, queued.name, queued.image_id, queued.attempt, iter(range(1, 9)))
    more = {"content": CONTENT} if state is ReportedState.READY else {"tag_digest": A}
    assert outcome(await worker.send(state, **more)) == (200, "stop")
    assert await queued.value("state") == "waiting"
