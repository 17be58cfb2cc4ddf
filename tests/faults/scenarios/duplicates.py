"""Requests and reports come many times, late, and in any order."""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from deploy.local.stack import Remote
from shared.db.database import open_database
from shared.db.import_states import ClaimedImport, claim
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState, dump_report
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.states import FINAL_STATES
from tests.faults.bench.ground import REQUEST_SECONDS, Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Wanted

PROMISE = "Repeated, late and reordered requests and reports change nothing."

# Equal requests at once, and reports that are on their way at the same time.
POSTS, AT_ONCE = 50, 8
# Nobody else works here: an attempt keeps its lease for as long as the scenario takes. Seconds.
LEASE = 600.0
LAYERS, LAYER_SIZE = 4, 10_000_000
# A report comes this many places too late at most; and of two reports one comes a second time.
LATE_BY = 6
REPEATED = 0.5
# The outcome that is told first, and others that are told afterwards.
OUTCOMES = (ReportedState.READY, ReportedState.FAILED)
ROW = "SELECT md5(array_agg(row_to_json(t)::text ORDER BY id)::text) FROM {table} t WHERE {column} = {image}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one import's duplicates did."""

    rows: int
    different_answers: int
    reports: int
    refused: int
    looks: int
    regressions: int
    changed_after_end: int


def play(ground: Ground) -> Verdict:
    """Ask for each image fifty times at once, then tell its import's progress out of order."""
    images, reports = ground.size.of(full=(20, 200), short=(2, 20))
    ground.start(apis=2, workers=0, LEASE_SECONDS=str(LEASE))
    told = [
        _one(ground, wanted, OUTCOMES[number % len(OUTCOMES)], reports)
        for number, wanted in enumerate(ground.push(images))
    ]
    sums = {name: sum(getattr(one, name) for one in told) for name in Told.__annotations__}
    unwanted = ("different_answers", "regressions", "changed_after_end")
    return Verdict(
        held=sums["rows"] == images and sums["refused"] > 0 and not any(sums[name] for name in unwanted),
        figures={"images": images, "posts": images * POSTS, **sums},
    )


def _one(ground: Ground, wanted: Wanted, outcome: ReportedState, reports: int) -> Told:
    image, name, different = _post(ground, wanted)
    claimed = asyncio.run(_claim(ground, name))
    if outcome is ReportedState.READY:
        # The target shall serve what is said of it, or the API would find out.
        Remote.of(ground.target).push(claimed.repository, claimed.tag, wanted.image)
    story = list(_story(wanted, outcome, reports))
    with _looking(ground, image) as seen:
        refused = _tell(ground, name, _disordered(ground.rng, story[:-1]))
        refused += _tell(ground, name, story[-1:])
        before = _rows(ground, image)
        late = [*story, *(replace(end, sequence=reports + 10) for end in _ends(wanted)), *story[-1:] * AT_ONCE]
        ground.rng.shuffle(late)
        refused += _tell(ground, name, late)
        changed = before != _rows(ground, image)
    return Told(
        rows=int(ground.sql(f"SELECT count(*) FROM imports WHERE source LIKE '%/{wanted.repository}:%'")),
        different_answers=different,
        reports=len(story) + len(late),
        refused=refused,
        looks=len(seen),
        regressions=_regressions(seen),
        changed_after_end=int(changed),
    )


def _post(ground: Ground, wanted: Wanted) -> tuple[int, str, int]:
    """Ask fifty times at once; return the image, the import, and how many answers tell of others."""
    together = threading.Barrier(POSTS)

    def ask(number: int) -> tuple[int, Any]:
        together.wait(REQUEST_SECONDS)
        return ground.ask(
            "POST", "/images:import", {"source": wanted.reference}, api=ground.apis[number % len(ground.apis)]
        )

    with ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(ask, range(POSTS)))
    first = answers[0][1]
    same = sum(status == http.client.OK and _meant(answer) == _meant(first) for status, answer in answers)
    return first["imageId"], first["name"], POSTS - same


def _meant(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an answer points to; its message tells whether this request was the first."""
    return answer["state"], answer["imageId"], answer["name"]


async def _claim(ground: Ground, name: str) -> ClaimedImport:
    async with (
        open_database(ground.database_url, application="bench", size=1) as database,
        database.connection() as connection,
    ):
        claimed = await claim(connection, name, worker="bench", lease=LEASE)
    assert claimed
    return claimed


def _story(wanted: Wanted, outcome: ReportedState, reports: int) -> Iterator[ProgressReport]:
    """Yield what a worker would tell, in its order: layers that grow, leave to write the tag, the outcome."""
    digests = [f"sha256:{number:064x}" for number in range(LAYERS)]
    for sequence in range(1, reports + 1):
        offset = LAYER_SIZE * sequence // reports
        status = LayerStatus.COMPLETED if offset == LAYER_SIZE else LayerStatus.DOWNLOADING
        layer = LayerProgress(size=LAYER_SIZE, offset=offset, status=status, transfer=Transfer.COPIED)
        yield ProgressReport(
            attempt=1, sequence=sequence, state=ReportedState.RUNNING, layers=dict.fromkeys(digests, layer)
        )
    yield ProgressReport(attempt=1, sequence=reports + 1, state=ReportedState.TAGGING, tag_digest=wanted.digest)
    yield next(replace(end, sequence=reports + 2) for end in _ends(wanted) if end.state is outcome)


def _ends(wanted: Wanted) -> Iterator[ProgressReport]:
    content = ImageContent(
        source_digest=wanted.digest,
        digest=wanted.digest,
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
    """Return them with some twice, each at most so many places from where it belongs."""
    doubled = [report for report in story for _ in range(2 if rng.random() < REPEATED else 1)]
    places = [(number + rng.uniform(0, LATE_BY), report) for number, report in enumerate(doubled)]
    return [report for _, report in sorted(places, key=lambda place: place[0])]


def _tell(ground: Ground, name: str, reports: Sequence[ProgressReport]) -> int:
    """Send reports, some at a time, to both APIs in turn; return how many were refused as superseded."""

    def put(numbered: tuple[int, ProgressReport]) -> int:
        number, report = numbered
        api = ground.apis[number % len(ground.apis)]
        path, body = f"/api/v1/images:import/{name}/progress", dump_report(report)
        status, _ = api.request("PUT", path, ground.plant.worker_token, body, seconds=REQUEST_SECONDS)
        return status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = Counter(pool.map(put, enumerate(reports)))
    assert set(statuses) <= {http.client.OK, http.client.CONFLICT}, statuses
    return statuses[http.client.CONFLICT]


@contextmanager
def _looking(ground: Ground, image: int) -> Iterator[list[Mapping[str, Any]]]:
    """Ask for the details again and again while the block runs, as people do, of both APIs."""
    seen: list[Mapping[str, Any]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            api = ground.apis[len(seen) % len(ground.apis)]
            seen.append(ground.ask("GET", f"/images/{image}/importing-details", api=api)[1])

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield seen
        finally:
            ended.set()
            looking.result()


def _regressions(seen: Sequence[Mapping[str, Any]]) -> int:
    """Count the looks that show less than the look before."""
    return sum(_is_less(after, before) for before, after in pairwise(seen))


def _is_less(after: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    layers = after["layersDetail"]
    return (
        after["progress"] < before["progress"]
        or (before["state"] in FINAL_STATES and after["state"] != before["state"])
        or any(layers[digest]["offset"] < layer["offset"] for digest, layer in before["layersDetail"].items())
    )


def _rows(ground: Ground, image: int) -> str:
    """Return what identifies all that is stored of an image and its import."""
    places = {"images": "id", "imports": "image_id"}
    return "|".join(ground.sql(ROW.format(table=name, column=of, image=image)) for name, of in places.items())
