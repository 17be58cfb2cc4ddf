"""The PUT of a tag is held between the worker and the target, and carried out after its worker has lost the import."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus

from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.late_writes.put_right import DELAYS, TagKeeper
from api_service.images.verify_tag import TagVerifier
from deploy.local.stack import Remote, synthetic_image
from tests.faults.bench.imports import Accepted, PushedImage
from tests.faults.bench.size import Size
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.beside import beside
from tests.faults.relay import Relay
from tests.faults.scripted_server import serving
from tests.faults.tag_content import digest_of_tag
from tests.scripted.connection import Connection
from tests.scripted.received_request import ReceivedRequest

PROMISE = "A tag's PUT that is carried out late leaves nothing wrong: after five minutes the tag and the API agree."

KINDS = ("takeover", "cancel", "delete", "re-import")
# In the short form, cases whose image was ready before.
WITH_OLDER = frozenset({"cancel", "takeover"})
# Seconds for which PUTs are held in the full form, each for every kind, with an older image and without one.
HOLDS = (0.0, 5.0, 20.0, 45.0, 75.0, 120.0)
# Seconds for imports with a take-over, on a busy machine.
TIMEOUT = 240.0
# Seconds after the last look: the loop's pause, and the repairs.
MARGIN = 20.0
POLL_SECONDS = 0.05
# A worker keeps places for users who have no import running.
SPARE_SLOTS = 8
TAG = "latest"
_TAG_PATH = re.compile(rf"/v2/(?P<repository>.+)/manifests/{TAG}")
LAYERS = (3_000, 1_000)


@dataclass
class Case:
    """An image whose tag's PUT is held for `seconds`, or until it is let go; `older`: it was ready before."""

    kind: str
    seconds: float | None
    older: bool
    pushed: PushedImage
    repository: str = ""
    accepted: Accepted | None = None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.seconds} {'older' if self.older else 'new'}"


@dataclass
class _Hold:
    seconds: float | None
    begun: bool = False
    released: bool = False
    carried_out: bool = False


@dataclass
class Holds:
    """The first PUT of a tag of each repository is held."""

    of: dict[str, _Hold] = field(default_factory=dict)

    @property
    def begun(self) -> int:
        return sum(hold.begun for hold in self.of.values())

    @property
    def done(self) -> bool:
        return all(hold.carried_out for hold in self.of.values())

    def release(self) -> None:
        for hold in self.of.values():
            hold.released = True


class HoldingRelay(Relay):
    """A relay that carries a held PUT out even if its client is gone, as a proxy or a busy target does."""

    def __init__(self, to: int) -> None:
        super().__init__(to)
        self.holds = Holds()

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        match = _TAG_PATH.fullmatch(asked.path)
        hold = self.holds.of.get(match["repository"]) if match else None
        if asked.method != "PUT" or hold is None or hold.begun:
            return await super().exchange(asked, connection)
        hold.begun = True
        body = b"".join([part async for part in connection.body(asked)])
        limit = float("inf") if hold.seconds is None else time.monotonic() + hold.seconds
        while not hold.released and time.monotonic() < limit:  # noqa: ASYNC110 - another thread releases it
            await asyncio.sleep(POLL_SECONDS)
        answer = await asyncio.to_thread(self.forward, asked, body)
        hold.carried_out = answer.status == HTTPStatus.CREATED
        return await self.reply(asked, answer, connection)


def play(testbed: Testbed) -> Verdict:
    """Hold one PUT for each case, take the workers away, and change what the API shows meanwhile."""
    with serving(HoldingRelay(testbed.target.port)) as relay:
        testbed.allow(relay.host)
        cases = _cases(testbed)
        # The first worker is stopped later; the second one, in the full form, is killed.
        workers = testbed.size.of(full=2, short=1)
        slots = len(cases) + SPARE_SLOTS
        testbed.start(workers=workers, TARGET_URL=relay.url, WORKER_SLOTS=str(slots), MAX_RUNNING_PER_USER="1000")
        _import_older(testbed, cases)
        _hold(testbed, relay, cases)
        _change(testbed, relay, cases)
        wrong = _differences(testbed, cases)
        looked = _wait_for_looks(testbed)
        left = _differences(testbed, cases)
    return Verdict(
        held=relay.holds.done and looked and not left and (bool(wrong) or testbed.size is Size.FULL),
        figures={
            "held_puts": relay.holds.begun,
            "carried_out": sum(hold.carried_out for hold in relay.holds.of.values()),
            "differences_at_first": len(wrong),
            "differences": len(left),
            "put_right": _put_right(testbed),
            "records_left": _open_writes(testbed),
            "kinds": dict(Counter(case.kind for case in cases)),
            "not_good": left,
        },
    )


def _cases(testbed: Testbed) -> list[Case]:
    few: list[tuple[str, float | None, bool]] = [(kind, None, kind in WITH_OLDER) for kind in KINDS]
    every: list[tuple[str, float | None, bool]] = [
        (kind, seconds, older) for kind in KINDS for seconds in HOLDS for older in (False, True)
    ]
    chosen = testbed.size.of(full=every, short=few)
    pushed = testbed.push(len(chosen))
    return [
        Case(kind=kind, seconds=seconds, older=older, pushed=one)
        for (kind, seconds, older), one in zip(chosen, pushed, strict=True)
    ]


def _import_older(testbed: Testbed, cases: Sequence[Case]) -> None:
    """Import an image for the cases that have an older one, then point the source's tag to another."""
    older = [case for case in cases if case.older]
    testbed.accept_all([case.pushed for case in older])
    testbed.wait_final(TIMEOUT)
    for case in older:
        case.pushed = _push_newer(testbed, case.pushed, "second")


def _hold(testbed: Testbed, relay: HoldingRelay, cases: Sequence[Case]) -> None:
    """Import every image until its PUT is held; then one worker is stopped, and the other ones are killed."""
    for case in cases:
        case.repository = f"imports/{testbed.source.host.replace(':', '-')}/{case.pushed.repository}"
    relay.holds.of = {case.repository: _Hold(case.seconds) for case in cases}
    for case in cases:
        case.accepted = testbed.accept(case.pushed, force=True)
    testbed.wait_until(lambda: relay.holds.begun == len(cases), TIMEOUT)
    stopped, *killed = testbed.workers
    os.kill(stopped.pid, signal.SIGSTOP)
    for worker in killed:
        worker.kill()


def _change(testbed: Testbed, relay: HoldingRelay, cases: Sequence[Case]) -> None:
    """Cancel, delete and import again; then let the PUTs go, or wait for their ends, and resume the stopped worker."""
    running = "SELECT count(*) FROM imports WHERE state = 'running'"
    testbed.wait_until(lambda: testbed.sql(running) == "0", TIMEOUT)
    for case in cases:
        if case.kind == "cancel":
            testbed.ask("POST", f"/images/{_id(case)}/importing:cancel")
        if case.kind == "delete":
            testbed.ask("DELETE", f"/images/{_id(case)}")
    testbed.add_worker()
    testbed.wait_final(TIMEOUT)
    for case in cases:
        if case.kind == "re-import":
            testbed.accept(_push_newer(testbed, case.pushed, "third"), force=True)
    testbed.wait_final(TIMEOUT)
    if testbed.size is Size.SHORT:
        relay.holds.release()
    testbed.wait_until(lambda: relay.holds.done, TIMEOUT)
    os.kill(testbed.workers[0].pid, signal.SIGCONT)


def _push_newer(testbed: Testbed, pushed: PushedImage, name: str) -> PushedImage:
    image = synthetic_image(f"{pushed.repository} {name}", LAYERS, platforms=("linux/amd64",), index=False)
    Remote.of(testbed.source).push(pushed.repository, TAG, image)
    return PushedImage(reference=pushed.reference, repository=pushed.repository, image=image)


def _wait_for_looks(testbed: Testbed) -> bool:
    """Wait for the last looks of the API; in the short form for those of a loop beside it, whose looks are due."""
    quick: AbstractContextManager[None] = (
        beside(testbed, testbed.target.host, _look_often) if testbed.size is Size.SHORT else nullcontext()
    )
    with quick:
        return testbed.wait_until(lambda: not _open_writes(testbed), DELAYS[-1] + MARGIN)


async def _look_often(work: DeletionWork) -> None:
    verifier = TagVerifier(database=work.database, target=work.target, registry_host=work.registry_host)
    keeper = TagKeeper(work, verifier, delays=(0.0, 0.5, 1.0))
    while True:
        await keeper.look()
        await asyncio.sleep(POLL_SECONDS)


def _differences(testbed: Testbed, cases: Sequence[Case]) -> list[str]:
    """Return the cases in which the tag is not what the API shows."""
    remote = Remote.of(testbed.target)
    rows = testbed.sql("SELECT json_build_object('id', id, 'status', status, 'digest', digest) FROM images")
    shown = {row["id"]: row for row in map(json.loads, rows.splitlines())}
    wrong = []
    for case in cases:
        tag = digest_of_tag(remote, case.repository, TAG)
        image = shown.get(_id(case))
        expected = image["digest"] if image and image["status"] == "ready" else None
        if tag != expected:
            wrong.append(f"{case.name}: {image and image['status']} {expected}, the tag has {tag}")
    return wrong


def _put_right(testbed: Testbed) -> int:
    """Count the repairs of the testbed's own API."""
    logs = [api.process.log.read_text() for api in testbed.apis if api.process]
    return sum(log.count("tag.put_right") for log in logs)


def _open_writes(testbed: Testbed) -> int:
    return int(testbed.sql("SELECT count(*) FROM tag_writes"))


def _id(case: Case) -> int:
    assert case.accepted
    return case.accepted.image_id
