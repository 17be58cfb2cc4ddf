"""Requests and reports arrive repeatedly, late, and in any order."""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from deploy.local.stack import Remote
from shared.db.database import open_database
from shared.db.import_states import ClaimedImport
from shared.errors.codes import Code
from shared.messages.attempt_start import AttemptStart, dump_start
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState, dump_report
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.states import FINAL_STATES
from tests.faults.bench.imports import PushedImage
from tests.faults.bench.testbed import REQUEST_SECONDS, Testbed
from tests.faults.bench.verdict import Verdict
from tests.import_worker.claiming import claim_named

PROMISE = "Repeated, late and reordered requests and reports change nothing."

# Equal concurrent requests, and concurrent reports.
POSTS, AT_ONCE = 50, 8
# Longer than the scenario, which has no workers: an attempt keeps its lease. Seconds.
LEASE = 600.0
LAYERS, LAYER_SIZE = 4, 10_000_000
# A report is late by at most this many places; half of the reports are repeated.
LATE_BY = 6
REPEATED = 0.5
# The outcome that is reported first; others are reported afterwards.
OUTCOMES = (ReportedState.READY, ReportedState.FAILED)
ROW = "SELECT md5(array_agg(row_to_json(t)::text ORDER BY id)::text) FROM {table} t WHERE {column} = {image}"


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """The effects of one import's duplicates."""

    rows: int
    different_answers: int
    reports: int
    refused: int
    looks: int
    regressions: int
    changed_after_end: int


def play(testbed: Testbed) -> Verdict:
    """Request each image fifty times at once, then report its import's progress out of order."""
    images, reports = testbed.size.of(full=(20, 200), short=(2, 20))
    testbed.start(apis=2, workers=0, LEASE_SECONDS=str(LEASE))
    effects = [
        _one(testbed, pushed, OUTCOMES[number % len(OUTCOMES)], reports)
        for number, pushed in enumerate(testbed.push(images))
    ]
    sums = {name: sum(getattr(one, name) for one in effects) for name in Duplicates.__annotations__}
    unwanted = ("different_answers", "regressions", "changed_after_end")
    return Verdict(
        held=sums["rows"] == images and sums["refused"] > 0 and not any(sums[name] for name in unwanted),
        figures={"images": images, "posts": images * POSTS, **sums},
    )


def _one(testbed: Testbed, pushed: PushedImage, outcome: ReportedState, reports: int) -> Duplicates:
    image, name, different = _post(testbed, pushed)
    claimed = asyncio.run(_claim(testbed, name))
    if outcome is ReportedState.READY:
        # The target must serve the reported image, because the API checks it.
        Remote.of(testbed.target).push(claimed.repository, claimed.tag, pushed.image)

    def of_claim(reports: Iterable[ProgressReport]) -> list[ProgressReport]:
        return [replace(report, claim_token=claimed.claim_token) for report in reports]

    story = of_claim(_story(pushed, outcome, reports))
    with _polling(testbed, image) as seen:
        refused = _send_reports(testbed, name, _disordered(testbed.rng, story[:-1]))
        refused += _send_reports(testbed, name, story[-1:])
        before = _rows(testbed, image)
        ends = of_claim(replace(end, sequence=reports + 10) for end in _ends(pushed))
        late = [*story, *ends, *story[-1:] * AT_ONCE]
        testbed.rng.shuffle(late)
        refused += _send_reports(testbed, name, late)
        changed = before != _rows(testbed, image)
    return Duplicates(
        rows=int(testbed.sql(f"SELECT count(*) FROM imports WHERE source LIKE '%/{pushed.repository}:%'")),
        different_answers=different,
        reports=len(story) + len(late),
        refused=refused,
        looks=len(seen),
        regressions=_regressions(seen),
        changed_after_end=int(changed),
    )


def _post(testbed: Testbed, pushed: PushedImage) -> tuple[int, str, int]:
    """Send fifty requests at once; return the image, the import, and the number of answers with others."""
    together = threading.Barrier(POSTS)

    def ask(number: int) -> tuple[int, Any]:
        together.wait(REQUEST_SECONDS)
        return testbed.ask(
            "POST", "/images:import", {"source": pushed.reference}, api=testbed.apis[number % len(testbed.apis)]
        )

    with ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(ask, range(POSTS)))
    first = answers[0][1]
    same = sum(status == http.client.OK and _meant(answer) == _meant(first) for status, answer in answers)
    return first["imageId"], first["name"], POSTS - same


def _meant(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the identifying part of an answer; its message differs for the first request."""
    return answer["state"], answer["imageId"], answer["name"]


async def _claim(testbed: Testbed, name: str) -> ClaimedImport:
    """Claim the import and begin its attempt, as a worker does."""
    async with open_database(testbed.database_url, application="bench", size=2) as database:
        claimed = await claim_named(database, name, worker="bench", lease=LEASE)
    assert claimed
    path, body = (
        f"/api/v1/images:import/{name}/begin",
        dump_start(AttemptStart(attempt=claimed.attempt, claim_token=claimed.claim_token)),
    )
    token = testbed.shared_servers.worker_token
    status, answer = await asyncio.to_thread(testbed.apis[0].request, "POST", path, token, body)
    assert (status, answer["action"]) == (http.client.OK, "continue"), answer
    return claimed


def _story(pushed: PushedImage, outcome: ReportedState, reports: int) -> Iterator[ProgressReport]:
    """Yield a worker's reports in order: growing layers, the permission to write the tag, the outcome."""
    digests = [f"sha256:{number:064x}" for number in range(LAYERS)]
    for sequence in range(1, reports + 1):
        offset = LAYER_SIZE * sequence // reports
        status = LayerStatus.COMPLETED if offset == LAYER_SIZE else LayerStatus.DOWNLOADING
        layer = LayerProgress(size=LAYER_SIZE, offset=offset, status=status, transfer=Transfer.COPIED)
        yield ProgressReport(
            attempt=1, sequence=sequence, state=ReportedState.RUNNING, layers=dict.fromkeys(digests, layer)
        )
    yield ProgressReport(attempt=1, sequence=reports + 1, state=ReportedState.TAGGING, tag_digest=pushed.digest)
    yield next(replace(end, sequence=reports + 2) for end in _ends(pushed) if end.state is outcome)


def _ends(pushed: PushedImage) -> Iterator[ProgressReport]:
    content = ImageContent(
        source_digest=pushed.digest,
        digest=pushed.digest,
        size=LAYERS * LAYER_SIZE,
        architecture="amd64",
        os="linux",
        platforms=("linux/amd64",),
        include_type="full",
    )
    yield ProgressReport(attempt=1, sequence=1, state=ReportedState.READY, content=content)
    error = ReportedError(code=Code.MANIFEST_UNSUPPORTED, detail="The bench says so.")
    yield ProgressReport(attempt=1, sequence=1, state=ReportedState.FAILED, error=error)
    yield ProgressReport(attempt=1, sequence=1, state=ReportedState.HANDED_BACK)


def _disordered(rng: random.Random, story: Sequence[ProgressReport]) -> list[ProgressReport]:
    """Return the reports with some repeated, each moved by at most LATE_BY places."""
    doubled = [report for report in story for _ in range(2 if rng.random() < REPEATED else 1)]
    places = [(number + rng.uniform(0, LATE_BY), report) for number, report in enumerate(doubled)]
    return [report for _, report in sorted(places, key=lambda place: place[0])]


def _send_reports(testbed: Testbed, name: str, reports: Sequence[ProgressReport]) -> int:
    """Send reports concurrently to both APIs in turn; return the number of refused ones."""

    def put(numbered: tuple[int, ProgressReport]) -> int:
        number, report = numbered
        api = testbed.apis[number % len(testbed.apis)]
        path, body = f"/api/v1/images:import/{name}/progress", dump_report(report)
        status, _ = api.request("PUT", path, testbed.shared_servers.worker_token, body, seconds=REQUEST_SECONDS)
        return status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = Counter(pool.map(put, enumerate(reports)))
    assert set(statuses) <= {http.client.OK, http.client.CONFLICT}, statuses
    return statuses[http.client.CONFLICT]


@contextmanager
def _polling(testbed: Testbed, image: int) -> Iterator[list[Mapping[str, Any]]]:
    """Poll the details from both APIs in turn while the block runs."""
    seen: list[Mapping[str, Any]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            api = testbed.apis[len(seen) % len(testbed.apis)]
            seen.append(testbed.ask("GET", f"/images/{image}/importing-details", api=api)[1])

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            ended.set()
            looking.result()


def _regressions(seen: Sequence[Mapping[str, Any]]) -> int:
    """Count the polls that show less progress than the previous one."""
    return sum(_is_less(after, before) for before, after in pairwise(seen))


def _is_less(after: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    layers = after["layersDetail"]
    return (
        after["progress"] < before["progress"]
        or (before["state"] in FINAL_STATES and after["state"] != before["state"])
        or any(layers[digest]["offset"] < layer["offset"] for digest, layer in before["layersDetail"].items())
    )


def _rows(testbed: Testbed, image: int) -> str:
    """Return a hash of the stored rows of an image and its import."""
    places = {"images": "id", "imports": "image_id"}
    return "|".join(testbed.sql(ROW.format(table=name, column=of, image=image)) for name, of in places.items())
