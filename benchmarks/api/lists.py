"""Measures list pages: both sizes and the bare endpoint take turns, so that noise affects all of them."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.api.client import Connection, Endpoint, connected, latencies, rate
from benchmarks.api.pages import DEEP, PAGE_SIZE, PAGES, Page, path_of

if TYPE_CHECKING:
    from benchmarks.api.stack import Arena, Size

FORMS = {"grouped": False, "flat": True}


@dataclass(frozen=True, kw_only=True)
class Effort:
    """The number of measurements: `requests` in a turn of one client; a turn of many clients lasts `seconds`."""

    rounds: int
    requests: int
    seconds: float
    connections: int


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The results of one server for one request: the seconds of each, by round; requests per second, by round."""

    path: str
    body_bytes: int
    latencies: list[list[float]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def p50(self) -> float:
        """Return the median, in seconds."""
        return statistics.median(self._all())

    def p99(self) -> float:
        """Return the 99th percentile, in seconds."""
        return statistics.quantiles(self._all(), n=100, method="inclusive")[98]

    def _all(self) -> list[float]:
        return [seconds for turn in self.latencies for seconds in turn]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON, the important ones first."""
        figures = {"p50_ms": 1000 * self.p50(), "p99_ms": 1000 * self.p99(), "requests_per_second": self.rate()}
        return figures | asdict(self)

    def rate(self) -> float:
        """Return requests per second, the median of the rounds."""
        return statistics.median(self.rates)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One page at both sizes, and the bare endpoint with a body of the larger list's size."""

    page: Page
    form: str
    few: Samples
    many: Samples
    bare: Samples

    @property
    def name(self) -> str:
        return f"{self.page.name}, {self.form}"

    def growth(self) -> list[float]:
        """Return for each round the larger list's time divided by the smaller list's."""
        pairs = zip(self.many.latencies, self.few.latencies, strict=True)
        return [statistics.median(many) / statistics.median(few) for many, few in pairs]

    def share(self) -> list[float]:
        """Return for each round the larger list's requests per second as a share of the bare endpoint's."""
        return [many / bare for many, bare in zip(self.many.rates, self.bare.rates, strict=True)]


async def measure_lists(arena: Arena, effort: Effort) -> list[Measured]:
    """Measure every page in both forms."""
    return [await _measure(arena, effort, page, form) for page in PAGES for form in FORMS]


async def _measure(arena: Arena, effort: Effort, page: Page, form: str) -> Measured:
    few, many = [await _samples(size, page, flat=FORMS[form]) for size in (arena.few, arena.many)]
    bare = Samples(path=f"/{many.body_bytes}", body_bytes=many.body_bytes)
    turns = ((arena.few.endpoint, few), (arena.many.endpoint, many), (arena.bare, bare))
    for _ in range(effort.rounds):
        for endpoint, samples in turns:
            await _take_turn(endpoint, samples, effort)
    return Measured(page=page, form=form, few=few, many=many, bare=bare)


async def _take_turn(endpoint: Endpoint, samples: Samples, effort: Effort) -> None:
    request = endpoint.request("GET", samples.path)
    async with connected(endpoint, effort.connections) as connections:
        # Another server had its turn before: the first responses differ from those of a busy service.
        await latencies(connections[0], request, 3)
        samples.latencies.append(await latencies(connections[0], request, effort.requests))
        samples.rates.append(await rate(connections, request, effort.seconds))


async def _samples(size: Size, page: Page, *, flat: bool) -> Samples:
    """Return the number of the page in this list, which may be too short for it."""
    async with connected(size.endpoint) as (connection,):
        first = await _ask(connection, size, path_of(page, 0, size.filled.part, flat=flat))
        last = max((json.loads(first)["totalCount"] - 1) // PAGE_SIZE, 0)
        # A list of a thousand images has no page 1,000: its last page is used instead.
        number = last if page.number is None else min(page.number, last, DEEP)
        path = path_of(page, number, size.filled.part, flat=flat)
        body = await _ask(connection, size, path)
    return Samples(path=path, body_bytes=len(body))


async def _ask(connection: Connection, size: Size, path: str) -> bytes:
    return await connection.ask(size.endpoint.request("GET", path))
