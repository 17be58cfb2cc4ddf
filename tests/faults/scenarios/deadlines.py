"""Sources that drip, stay silent or answer 429 without end, at each step of an import, beside another user's ones."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from deploy.local.stack import synthetic_image
from shared.model.states import ImportState
from tests.faults.bench.imports import Accepted, Change, Outcome, PushedImage
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict, latencies
from tests.faults.content.lies import place
from tests.faults.content.slowness import FAULTS, STEPS
from tests.faults.scripted_server import serving
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.rule import Rule
from tests.scripted.tokens import TokenService

PROMISE = "Every accepted import ends by its deadline, and one user's slow sources hold one slot of a worker at most."

# The worker reads one layer as a whole and streams the other. Bytes.
LAYERS = (5_000, 1_500_000)
# One of them is the share of a user.
SLOTS, SHARE = 2, 1
# The rounds of the API's loop, and the machine. Seconds after the deadline.
LATE = 5.0
LATE_AMONG_TESTS = 30.0
# Harmed imports that are open at once: each is begun before seven times the deadline have passed.
OPEN_AT_ONCE = 5
# The short form has the faults that hold a slot in different ways, at steps of planning and copying.
SHORT = (("429", "token"), ("silence", "configuration"), ("drip", "index"), ("drip", "large layer"))
# Of the other user: an image, the time in which it has to be ready, and the pause before the next one. Seconds.
NEIGHBOUR_SECONDS = 10.0
NEIGHBOUR_AMONG_TESTS = 60.0
PAUSE = 1.0
OK = 200


def play(testbed: Testbed) -> Verdict:
    """Import from each source as one user, and from a sound one as another user, until all imports have ended."""
    deadline = testbed.size.of(full=12.0, short=2.5)
    cases = testbed.size.of(full=[(fault, step) for fault in FAULTS for step in STEPS], short=list(SHORT))
    with ExitStack() as stack:
        sources = [stack.enter_context(serving(ScriptedRegistry(tokens=TokenService()))) for _ in cases]
        for source in sources:
            testbed.allow(source.host)
        testbed.start(IMPORT_DEADLINE_SECONDS=str(deadline), MAX_RUNNING_PER_USER=str(SHARE), WORKER_SLOTS=str(SLOTS))
        harmed = [_harm(testbed, source, *case) for source, case in zip(sources, cases, strict=True)]
        accepted, neighbours = list[Accepted](), list[_Neighbour]()
        for start in range(0, len(harmed), OPEN_AT_ONCE):
            accepted += testbed.accept_all(one.pushed for one in harmed[start : start + OPEN_AT_ONCE])
            neighbours += _import_beside(testbed, accepted, limit=(OPEN_AT_ONCE + 2) * (deadline + LATE))
        outcomes = {outcome.name: outcome for outcome in testbed.outcomes()}
        changes = [change for change in testbed.changes() if change.name in {one.name for one in accepted}]
        testbed.stop_services()
    ends = dict(zip(cases, [outcomes[one.name] for one in accepted], strict=True))
    met = sum(bool(one.rule.hits) for one in harmed)
    return _verdict(testbed, _Observed(ends=ends, met=met, changes=changes, neighbours=neighbours), deadline)


@dataclass(frozen=True, kw_only=True)
class _Neighbour:
    """An import of the other user, and the time until it was ready."""

    ready: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Observed:
    """The end of each harmed import, its changes, the number of faults that an import has met, and the neighbours."""

    ends: Mapping[tuple[str, str], Outcome]
    met: int
    changes: Sequence[Change]
    neighbours: Sequence[_Neighbour]


def _verdict(testbed: Testbed, seen: _Observed, deadline: float) -> Verdict:
    tried, held = _tried(seen.changes), _most_running(seen.changes)
    latest = deadline + testbed.size.of(full=LATE, short=LATE_AMONG_TESTS)
    after = sum(not end.final for end in seen.ends.values()) + sum(seconds > latest for seconds in tried)
    soon = testbed.size.of(full=NEIGHBOUR_SECONDS, short=NEIGHBOUR_AMONG_TESTS)
    served = bool(seen.neighbours) and all(one.ready and one.seconds <= soon for one in seen.neighbours)
    return Verdict(
        held=after == 0 and held == SHARE and served and seen.met == len(tried) == len(seen.ends),
        figures={
            "imports": len(seen.ends),
            "faults_met": seen.met,
            "open_after_the_deadline": after,
            "slots_held": held,
            "deadline_seconds": deadline,
            **latencies("tried_seconds", tried),
            "codes": dict(Counter(end.code or end.state.value for end in seen.ends.values())),
            "neighbours": len(seen.neighbours),
            "neighbours_ready": sum(one.ready for one in seen.neighbours),
            **latencies("neighbour_seconds", [one.seconds for one in seen.neighbours]),
            "ends": {f"{fault} at {step}": end.code or end.state.value for (fault, step), end in seen.ends.items()},
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Harmed:
    """An image, and the rule by which its source harms one step."""

    pushed: PushedImage
    rule: Rule


def _harm(testbed: Testbed, source: ScriptedRegistry, fault: str, step: str) -> _Harmed:
    repository = f"deadlines/{fault}-{step.replace(' ', '-')}"
    image = synthetic_image(f"{testbed.seed} {fault} {step}", LAYERS, platforms=("linux/amd64",))
    rule = STEPS[step](place(source, repository, image))
    FAULTS[fault](rule)
    pushed = PushedImage(reference=f"{source.host}/{repository}:latest", repository=repository, image=image)
    return _Harmed(pushed=pushed, rule=rule)


def _import_beside(testbed: Testbed, accepted: Sequence[Accepted], *, limit: float) -> list[_Neighbour]:
    """Import sound images as another user, one after the other, until the harmed imports have ended."""
    names = {one.name for one in accepted}
    until, neighbours = time.monotonic() + limit, list[_Neighbour]()
    while time.monotonic() < until and not (neighbours and _have_ended(testbed, names)):
        neighbours.append(_import_one(testbed))
        time.sleep(PAUSE)
    return neighbours


def _have_ended(testbed: Testbed, names: set[str]) -> bool:
    return all(outcome.final for outcome in testbed.outcomes() if outcome.name in names)


def _import_one(testbed: Testbed) -> _Neighbour:
    (pushed,) = testbed.push(1)
    status, answer = testbed.apis[0].request(
        "POST", "/api/v1/images:import", testbed.shared_servers.admin_token, {"source": pushed.reference}
    )
    if status != OK:
        return _Neighbour(ready=False, seconds=0.0)
    began, name = time.monotonic(), answer["name"]

    def end() -> Outcome:
        return next(outcome for outcome in testbed.outcomes() if outcome.name == name)

    testbed.wait_until(lambda: end().final, NEIGHBOUR_AMONG_TESTS)
    return _Neighbour(ready=end().state is ImportState.READY, seconds=time.monotonic() - began)


def _tried(changes: Sequence[Change]) -> list[float]:
    """Return the seconds from the first attempt to the end, of each import that has both."""
    began: dict[str, float] = {}
    tried = []
    for change in changes:
        if change.state is ImportState.RUNNING:
            began.setdefault(change.name, change.at)
        elif change.state in (ImportState.READY, ImportState.FAILED) and change.name in began:
            tried.append(change.at - began[change.name])
    return tried


def _most_running(changes: Sequence[Change]) -> int:
    """Return the largest number of these imports that were running at once."""
    running, most = set[str](), 0
    for change in changes:
        (running.add if change.state is ImportState.RUNNING else running.discard)(change.name)
        most = max(most, len(running))
    return most
