"""Another answer than the target's comes from its place; then images are lost, and come back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass

from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.patrol import Pace, TagPatrol
from api_service.images.verify_tag import TagVerifier
from deploy.local.stack import Remote
from tests.faults.bench.imports import Accepted
from tests.faults.bench.size import Size
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.beside import beside
from tests.faults.relay import Relay
from tests.faults.scripted_server import serving
from tests.scripted.answer import Answer, as_json, refusal
from tests.scripted.connection import Connection
from tests.scripted.received_request import ReceivedRequest

PROMISE = "An outage of the target changes no image; a real loss is found, and healed when the image is back."

# Seconds for the imports, on a busy machine.
TIMEOUT = 240.0
# The patrol of the short form, which runs beside the API's own.
FAST = Pace(interval=0.05, rest=0.1, pause=0.2)
# Seconds in which the API's own patrol makes a round of these images, and another one that a stop has delayed.
ROUND = 180.0
# One image of so many is lost: fewer than stop a round.
SPREAD = 4

PAGE = Answer(headers={"Content-Type": "text/html"}, body=b"<html><body>Welcome!</body></html>")


class SwitchedTarget(Relay):
    """A relay to the target; with an outage set, its answers come instead. `answered` counts these."""

    def __init__(self, to: int) -> None:
        super().__init__(to)
        self.outage: Outage | None = None
        self.answered = 0

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        outage = self.outage
        if outage is None:
            return await super().exchange(asked, connection)
        _ = [part async for part in connection.body(asked)]
        self.answered += 1
        answer = outage.greeting if asked.path == "/v2/" else outage.answer
        return await self.reply(asked, answer, connection)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The answers of the server in the target's place: to a greeting, and to everything else."""

    greeting: Answer
    answer: Answer


def _always(answer: Answer) -> Outage:
    return Outage(greeting=answer, answer=answer)


OUTAGES: Mapping[str, Outage] = {
    "404": _always(Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"default backend - 404")),
    "401": _always(refusal(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="another"')),
    "5xx": _always(Answer(status=503)),
    "empty": Outage(greeting=as_json({}), answer=refusal(404, "MANIFEST_UNKNOWN")),
    "page": _always(PAGE),
}


@dataclass(frozen=True, kw_only=True)
class OutageOutcome:
    """The number of requests that got an outage's answer, and of images that changed meanwhile."""

    answers: int
    changed: int


def play(testbed: Testbed) -> Verdict:
    """Put each outage in the target's place, in the seed's order; then lose some images, and put them back."""
    number, seconds = testbed.size.of(full=(24, 120.0), short=(6, 1.0))
    with serving(SwitchedTarget(testbed.target.port)) as switch:
        testbed.allow(switch.host)
        testbed.start(TARGET_URL=switch.url)
        accepted = testbed.accept_all(testbed.push(number))
        testbed.wait_final(TIMEOUT)
        patrol: AbstractContextManager[None] = (
            beside(testbed, switch.host, _patrol) if testbed.size is Size.SHORT else nullcontext()
        )
        with patrol:
            names = testbed.rng.sample(sorted(OUTAGES), len(OUTAGES))
            outages = {name: _put_in_place(testbed, switch, OUTAGES[name], seconds) for name in names}
            found, healed = _lose_and_heal(testbed, accepted[::SPREAD])
        kept = _count(testbed, "ready")
    return Verdict(
        held=all(one.answers and not one.changed for one in outages.values())
        and kept == number
        and None not in (found, healed),
        figures={
            "images": number,
            "changed": sum(one.changed for one in outages.values()),
            "lost": len(accepted[::SPREAD]),
            "found_seconds": found,
            "healed_seconds": healed,
            "ready": kept,
            "outages": {name: asdict(one) for name, one in outages.items()},
        },
    )


def _put_in_place(testbed: Testbed, switch: SwitchedTarget, outage: Outage, seconds: float) -> OutageOutcome:
    """Have the outage's answers for so long, and longer if the patrol has not met it."""
    before, answered = _images(testbed), switch.answered
    switch.outage = outage
    time.sleep(seconds)
    testbed.wait_until(lambda: switch.answered > answered, ROUND)
    switch.outage = None
    return OutageOutcome(answers=switch.answered - answered, changed=len(before ^ _images(testbed)))


def _lose_and_heal(testbed: Testbed, lost: Sequence[Accepted]) -> tuple[float | None, float | None]:
    """Return the seconds until all lost images have failed, and until all are ready again; None if they do not."""
    remote = Remote.of(testbed.target)
    repositories = {one.name: _repository(testbed, one) for one in lost}
    for one in lost:
        remote.delete_manifest(repositories[one.name], one.pushed.digest)
    found = _seconds_until(testbed, "failed", len(lost))
    for one in lost:
        remote.push(repositories[one.name], "latest", one.pushed.image)
    return found, _seconds_until(testbed, "failed", 0)


def _seconds_until(testbed: Testbed, status: str, number: int) -> float | None:
    began = time.monotonic()
    done = testbed.wait_until(lambda: _count(testbed, status) == number, ROUND)
    return round(time.monotonic() - began, 1) if done else None


def _images(testbed: Testbed) -> set[str]:
    return set(testbed.sql("SELECT id, status, digest, source_digest, updated_at FROM images").splitlines())


def _count(testbed: Testbed, status: str) -> int:
    return int(testbed.sql(f"SELECT count(*) FROM images WHERE status = '{status}'"))


def _repository(testbed: Testbed, accepted: Accepted) -> str:
    return testbed.sql(f"SELECT repository FROM images WHERE id = {accepted.image_id}")


async def _patrol(work: DeletionWork) -> None:
    verifier = TagVerifier(database=work.database, target=work.target, registry_host=work.registry_host)
    await TagPatrol(verifier, FAST).run()
