"""POST /images:import/:name/admit: limits in bytes hold, whatever happens at once, and unused bytes are given back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from api_service.background.reaper import reap
from api_service.imports.retry_policy import RetryPolicy
from shared.db import import_states
from shared.messages.progress_report import ReportedState
from shared.model.owner import Owner
from shared.model.states import ImportState
from tests.api_service.api import BASE, Api
from tests.api_service.imports.attempt.queue import ADA, Queue, Queued, admit_at, until_answered
from tests.api_service.imports.reports import CONTENT, A, Worker, copying

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
DECEMBER = NOVEMBER + timedelta(seconds=1)


def worker_of(queued: Queued, first: int = 1) -> Worker:
    return Worker(queued.queue.api, queued.name, queued.image_id, queued.attempt, iter(range(first, 99)))


async def this_month(queue: Queue, rule: int) -> int:
    """Return the bytes of the only month that the rule has."""
    (used,) = (await queue.usage(rule)).values()
    return used


async def test_an_image_within_its_limits_is_admitted(queue: Queue) -> None:
    """Its bytes are reserved; the answer says what the rule that admits it grants."""
    rule = await queue.rule(max_image_bytes=100, max_bytes_per_month=1_000, create_projects=True)
    answer = await (await queue.begun(rule)).admit(100)
    assert (answer.status, answer.body) == (200, {"action": "continue", "mayCreateProject": True})
    assert await this_month(queue, rule) == 100


@pytest.mark.parametrize(
    ("limit", "says"),
    [({"max_image_bytes": 99}, "maxImageBytes"), ({"max_bytes_per_month": 99}, "maxBytesPerMonth")],
    ids=["image", "month"],
)
async def test_an_image_beyond_a_limit_ends_its_import(queue: Queue, limit: dict[str, int], says: str) -> None:
    """The detail names the limit; a repetition hears the same."""
    rule = await queue.rule(**limit)  # type: ignore[arg-type]  # the names are those of the rule's limits
    queued = await queue.begun(rule)
    for _ in range(2):
        assert (await queued.admit(100)).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "limit_reached")
    assert says in await queued.value("error_detail")
    assert await queue.usage(rule) == {}


async def test_twenty_at_once_never_pass_the_months_limit(queue: Queue) -> None:
    """Ten fit, to the byte; the others end, and get nothing of the rest."""
    rule = await queue.rule(max_bytes_per_month=1_005)
    imports = [await queue.begun(rule) for _ in range(20)]
    answers = await asyncio.gather(*(until_answered(partial(queued.admit, 100)) for queued in imports))
    actions = [answer.body["action"] for answer in answers]
    assert (actions.count("continue"), actions.count("stop")) == (10, 10)
    assert await this_month(queue, rule) == 1_000
    assert (await (await queue.begun(rule)).admit(5)).body["action"] == "continue"
    assert await this_month(queue, rule) == 1_005


async def test_twenty_at_once_of_many_sizes_leave_no_gap_in_the_account(queue: Queue) -> None:
    """The account is the sum of the admitted images, and below the limit."""
    rule = await queue.rule(max_bytes_per_month=1_000)
    sizes = [37 * number for number in range(1, 21)]
    imports = [await queue.begun(rule) for _ in sizes]
    answers = await asyncio.gather(
        *(until_answered(partial(queued.admit, size)) for queued, size in zip(imports, sizes, strict=True))
    )
    admitted = [size for size, answer in zip(sizes, answers, strict=True) if answer.body["action"] == "continue"]
    assert await this_month(queue, rule) == sum(admitted) <= 1_000
    assert min(set(sizes) - set(admitted)) + sum(admitted) > 1_000


async def test_users_do_not_share_a_limit(queue: Queue) -> None:
    """A subject of another issuer is another user, whatever its name."""
    rule = await queue.rule(max_bytes_per_month=100)
    other = replace(ADA, owner=Owner(issuer="https://issuer", subject="ada"))
    for by in (ADA, other):
        assert (await (await queue.begun(rule, by=by)).admit(100)).body["action"] == "continue"
        assert (await (await queue.claimed(rule, by=by)).begin()).body == {"action": "stop"}


@pytest.mark.parametrize(("again", "used"), [(60, 60), (100, 100), (20, 20)])
async def test_a_second_admission_replaces_the_first(queue: Queue, again: int, used: int) -> None:
    """The answer was lost, the engine's image has its size only after the push, or another attempt plans anew."""
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    await queued.admit(60)
    assert (await queued.admit(again)).body["action"] == "continue"
    assert await this_month(queue, rule) == used


async def test_a_second_admission_beyond_the_limit_gives_the_first_back(queue: Queue) -> None:
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    await queued.admit(60)
    assert (await queued.admit(101)).body == {"action": "stop"}
    assert await this_month(queue, rule) == 0


async def test_an_attempt_that_holds_all_that_is_left_begins_again(queue: Queue) -> None:
    """Its own reservation does not stand in its way."""
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    await queued.admit(100)
    await worker_of(queued).send(ReportedState.HANDED_BACK)
    again = await queued.claim()
    await again.terms()
    assert (await again.admit(100)).body["action"] == "continue"
    assert await this_month(queue, rule) == 100


async def test_twenty_repeated_admissions_at_once_are_one(queue: Queue) -> None:
    """A client repeats a request whose answer is late; each one replaces the reservation."""
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    answers = await asyncio.gather(*(until_answered(partial(queued.admit, 90 + number % 10)) for number in range(20)))
    assert {answer.body["action"] for answer in answers} == {"continue"}
    assert await this_month(queue, rule) == await queued.value("admitted_bytes")


async def test_a_month_begins_with_an_empty_account(queue: Queue) -> None:
    """By the database's clock, in UTC."""
    rule = await queue.rule(max_bytes_per_month=100)
    first, second, third = [await queue.begun(rule) for _ in range(3)]
    assert await admit_at(first, 100, NOVEMBER)
    assert not await admit_at(second, 1, NOVEMBER)
    assert await admit_at(third, 100, DECEMBER)
    assert await queue.usage(rule) == {"2026-11": 100, "2026-12": 100}
    assert "2026-12-01" in await second.value("error_detail")


async def test_an_import_over_the_months_change_counts_once(queue: Queue) -> None:
    """Its next attempt is admitted in the new month, and gives the old one its bytes back."""
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    assert await admit_at(queued, 80, NOVEMBER)
    assert await admit_at(queued, 90, DECEMBER)
    assert await queue.usage(rule) == {"2026-11": 0, "2026-12": 90}


async def test_twenty_at_once_over_the_months_change_pass_neither_limit(queue: Queue) -> None:
    """Half of them already hold bytes of the old month, and move them while the others reserve."""
    rule = await queue.rule(max_bytes_per_month=500)
    imports = [await queue.begun(rule) for _ in range(20)]
    for queued in imports[:5]:
        assert await admit_at(queued, 100, NOVEMBER)
    admitted = await asyncio.gather(
        *(admit_at(queued, 100, NOVEMBER if number % 4 == 0 else DECEMBER) for number, queued in enumerate(imports))
    )
    usage = await queue.usage(rule)
    assert max(usage.values()) <= 500
    assert sum(usage.values()) == 100 * sum(admitted)


async def test_bytes_of_an_ended_import_return_to_their_own_month(queue: Queue) -> None:
    """The month may have changed since."""
    rule = await queue.rule(max_bytes_per_month=100)
    queued = await queue.begun(rule)
    assert await admit_at(queued, 80, NOVEMBER)
    await worker_of(queued).fail("manifest_unsupported")
    assert await queue.usage(rule) == {"2026-11": 0}


async def failed_by_report(queued: Queued) -> None:
    await worker_of(queued, 2).fail("manifest_unsupported")


async def cancelled(queued: Queued) -> None:
    path = f"{BASE}/images/{queued.image_id}/importing:cancel"
    assert (await queued.queue.api.call("POST", path, token=await queued.queue.api.token("ada"))).status == 200


async def deleted(queued: Queued) -> None:
    path = f"{BASE}/images/{queued.image_id}"
    await queued.queue.api.call("DELETE", path, token=await queued.queue.api.token("ada"))


async def lost(queued: Queued) -> None:
    api = queued.queue.api
    await api.execute("UPDATE imports SET lease_until = now() - interval '1 second', failures = 8")
    await reap(api.queue, RetryPolicy(max_failures=1, base=1))


async def refused(queued: Queued) -> None:
    queue = queued.queue
    (rule,) = queue.rules
    await queue.change(rule, "targets = '{elsewhere/**}'")
    assert (await queued.begin()).body == {"action": "stop"}


@pytest.mark.parametrize(
    "end", [failed_by_report, cancelled, deleted, lost, refused], ids=lambda end: str(end.__name__)
)
async def test_the_bytes_that_were_not_transferred_are_given_back(
    queue: Queue, end: Callable[[Queued], Awaitable[None]]
) -> None:
    """300 of the 1000 bytes had arrived when the import ended."""
    rule = await queue.rule(max_bytes_per_month=5_000)
    queued = await queue.begun(rule)
    await queued.admit(1_000)
    await worker_of(queued).send(layers={A: copying(300)})
    assert await this_month(queue, rule) == 1_000
    await end(queued)
    assert await this_month(queue, rule) == 300


async def test_bytes_are_given_back_once(queue: Queue, api: Api) -> None:
    """A repeated end, such as a late report of it, changes nothing."""
    rule = await queue.rule(max_bytes_per_month=5_000)
    queued, other = await queue.begun(rule), await queue.begun(rule)
    await queued.admit(1_000)
    await other.admit(2_000)
    for _ in range(2):
        await failed_by_report(queued)
    async with api.database.connection() as connection:
        with pytest.raises(Exception, match="may not go from failed"):
            await import_states.finish(connection, queued.id, ImportState.CANCELLED)
    assert await this_month(queue, rule) == 2_000


async def test_a_ready_image_keeps_its_bytes(queue: Queue) -> None:
    """Bytes that the target had already count: they are the image's."""
    rule = await queue.rule(max_bytes_per_month=5_000)
    queued = await queue.begun(rule)
    await queued.admit(1_000)
    worker = worker_of(queued)
    await worker.send(ReportedState.TAGGING, tag_digest=A)
    await worker.send(ReportedState.READY, content=CONTENT)
    assert await this_month(queue, rule) == 1_000
    await deleted(queued)
    assert await this_month(queue, rule) == 1_000


async def test_a_rule_deleted_before_the_admission_stops_the_import(queue: Queue) -> None:
    """Its accounts are deleted with it."""
    rule = await queue.rule(max_bytes_per_month=5_000)
    queued, admitted = await queue.begun(rule), await queue.begun(rule)
    await admitted.admit(1_000)
    await queue.delete_rule(rule)
    assert (await queued.admit(1_000)).body == {"action": "stop"}
    assert await queued.failure() == ("failed", "source_not_allowed")
    await failed_by_report(admitted)
    assert await queue.usage(rule) == {}


async def test_a_rule_deleted_while_imports_are_admitted_harms_none(queue: Queue) -> None:
    """Each import is either admitted before the deletion, or goes on by the other rule; none gets an error."""
    rule, other = await queue.rule(max_bytes_per_month=5_000), await queue.rule(max_bytes_per_month=1_200)
    imports = [await queue.begun(rule) for _ in range(12)]
    admissions = [until_answered(partial(queued.admit, 100)) for queued in imports]
    answers, _ = await asyncio.gather(asyncio.gather(*admissions), queue.delete_rule(rule))
    assert {answer.body["action"] for answer in answers} == {"continue"}
    moved = [queued for queued in imports if await queued.value("rule_id") == other]
    assert sum((await queue.usage(other)).values()) == 100 * len(moved)


async def test_an_image_too_large_for_one_rule_is_admitted_by_another(queue: Queue) -> None:
    """What the first rule held is given back."""
    small = await queue.rule(max_bytes_per_month=100, create_projects=True)
    large = await queue.rule(max_bytes_per_month=1_000)
    queued = await queue.begun(small)
    await queued.admit(100)
    answer = await queued.admit(500)
    assert answer.body == {"action": "continue", "mayCreateProject": False}
    assert (await this_month(queue, small), await this_month(queue, large)) == (0, 500)
    assert await queued.value("rule_id") == large


async def test_a_size_that_no_number_of_bytes_reaches_overflows_nothing(queue: Queue) -> None:
    """The account's column is a bigint."""
    rule = await queue.rule(max_image_bytes=2**63 - 1)
    first, second = await queue.begun(rule), await queue.begun(rule)
    assert (await first.admit(2**63 - 1)).body["action"] == "continue"
    assert (await second.admit(2**63 - 1)).status == 503
    assert (await first.admit(0)).body["action"] == "continue"
    assert await this_month(queue, rule) == 0
