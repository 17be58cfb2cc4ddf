"""The relay gets a hint after every commit that added a wake-up, and only then."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api_service.background.reaper import reap
from api_service.background.wake_ups import WakeUpRepeater
from api_service.imports.retry_policy import RetryPolicy
from api_service.web.keys import NOTIFICATIONS
from shared.db import outbox
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from tests.api_service.api import BASE, Api

ROOT = Path(__file__).parents[3]
WRITES = ("outbox.add(", "insert_import(", "insert_first_import(")
RETRIES = RetryPolicy(max_failures=3, base=1)


@dataclass(frozen=True, kw_only=True)
class Started:
    """An import whose first wake-up is published."""

    api: Api
    source: str
    image_id: int
    name: str

    async def report(self, state: ReportedState, code: Code | None = None) -> None:
        """Claim the import and report this state, as a worker does."""
        claimed = await self.api.claim(self.name)
        error = ReportedError(code=code, detail="It failed.") if code else None
        report = ProgressReport(attempt=claimed.attempt, sequence=1, state=state, error=error)
        assert (await self.api.report(self.name, report)).status == 200

    async def cancel(self) -> None:
        answer = await self.api.call("POST", f"{BASE}/images/{self.image_id}/importing:cancel")
        assert answer.status == 200

    async def wait_long(self) -> None:
        """Age the import, and the message for it."""
        await self.api.execute("UPDATE imports SET due_at = now() - interval '1 hour'")
        await self.api.execute("UPDATE outbox SET published_at = now() - interval '1 hour'")


@pytest.fixture
def hinted(api: Api) -> Iterator[Callable[[], bool]]:
    """Returns whether the relay got a hint since the last call."""
    with api.client.app[NOTIFICATIONS].watch(outbox.CHANNEL) as hint:

        def taken() -> bool:
            given: bool = hint.is_set()
            hint.clear()
            return given

        yield taken


@pytest.fixture
async def started(api: Api, image_source: str) -> Started:
    body = await api.start({"source": image_source})
    await api.execute("UPDATE outbox SET published_at = now()")
    return Started(api=api, source=image_source, image_id=body["imageId"], name=body["name"])


async def start_again(started: Started) -> None:
    await started.cancel()
    await started.api.start({"source": started.source})


async def retry(started: Started) -> None:
    await started.cancel()
    answer = await started.api.call("POST", f"{BASE}/images/{started.image_id}/importing:retry")
    assert answer.status == 200


async def fail(started: Started) -> None:
    await started.report(ReportedState.FAILED, Code.SOURCE_UNAVAILABLE)


async def hit_a_rate_limit(started: Started) -> None:
    await started.report(ReportedState.FAILED, Code.SOURCE_RATE_LIMITED)


async def hand_back(started: Started) -> None:
    await started.report(ReportedState.HANDED_BACK)


async def lose_the_worker(started: Started) -> None:
    await started.api.claim(started.name, lease=-1)
    await reap(started.api.queue, RETRIES)


async def be_overlooked(started: Started) -> None:
    await started.wait_long()
    await WakeUpRepeater(started.api.queue).repeat()


WAKING = {
    start_again: WakeUpReason.REQUESTED,
    retry: WakeUpReason.RETRIED,
    fail: WakeUpReason.RETRY,
    hit_a_rate_limit: WakeUpReason.RETRY,
    hand_back: WakeUpReason.HANDED_BACK,
    lose_the_worker: WakeUpReason.LEASE_LOST,
    be_overlooked: WakeUpReason.REPUBLISHED,
}


async def test_a_first_import_hints_the_relay(api: Api, image_source: str, hinted: Callable[[], bool]) -> None:
    await api.start({"source": image_source})
    assert hinted()


@pytest.mark.parametrize(("step", "reason"), WAKING.items(), ids=[step.__name__ for step in WAKING])
async def test_every_added_wake_up_hints_the_relay(
    started: Started,
    hinted: Callable[[], bool],
    step: Callable[[Started], Awaitable[None]],
    reason: WakeUpReason,
) -> None:
    hinted()
    await step(started)
    assert await started.api.value("SELECT reason FROM outbox ORDER BY id DESC LIMIT 1") == reason
    assert hinted()


def test_every_reason_is_tested() -> None:
    """LEASE_MISSED renames an earlier wake-up and adds none."""
    assert set(WAKING.values()) == set(WakeUpReason) - {WakeUpReason.LEASE_MISSED}


async def test_nothing_else_hints_the_relay(started: Started, hinted: Callable[[], bool]) -> None:
    """A progress report, a cancellation and idle rounds of reaper and repeater add no wake-up."""
    hinted()
    await started.report(ReportedState.RUNNING)
    await reap(started.api.queue, RETRIES)
    await WakeUpRepeater(started.api.queue).repeat()
    await started.cancel()
    assert not hinted()


async def test_a_rolled_back_transaction_gives_no_hint(started: Started, hinted: Callable[[], bool]) -> None:
    """The hint comes after the commit."""
    hinted()
    import_id = await started.api.value("SELECT id FROM imports")

    async def roll_back() -> None:
        async with started.api.queue.transaction() as transaction:
            await transaction.wake_worker(import_id, WakeUpReason.REPUBLISHED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await roll_back()
    assert await started.api.value("SELECT count(*) FROM outbox") == 1
    assert not hinted()


def test_the_queue_is_the_only_writer_of_the_outbox() -> None:
    """A use case that writes to it directly would have to remember the hint."""
    services = [path for service in ("api_service", "import_worker") for path in (ROOT / service).rglob("*.py")]
    writers = {path.relative_to(ROOT) for path in services if any(write in path.read_text() for write in WRITES)}
    assert writers == {Path("api_service/imports/enqueue.py")}
