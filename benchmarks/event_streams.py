"""Measures details and event streams of images with many layers: `python -m benchmarks.event_streams --json FILE`.

The API runs in this process, beside a task that measures how long the event loop stands still; its clients are another
process. Each figure of the loop is given twice: in seconds, and in seconds of this thread's processor time, which other
load on the machine does not change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
import uvloop
from aiohttp import web

from api_service.app import create_app
from api_service.parts import PARTS, readiness_part
from api_service.settings import read_settings
from benchmarks.measure import Bar, bar_rows, bars_json, conditions, table, write_json
from deploy.local.paths import ROOT
from deploy.local.processes.server import LOOPBACK, new_key
from deploy.local.stack import Postgres, Scratch
from shared.db import imports
from shared.db.access.tokens import create_token
from shared.db.database import open_database
from shared.db.migrations.migrate import migrate
from shared.messages.progress_report import ProgressReport, ReportedState, dump_report
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.roles import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MANY, ORDINARY = 20_000, 30
STREAMS_PER_USER = 40
REQUESTS = 20
# Between two changes: a worker's reports come about as often. Seconds.
CHANGE_INTERVAL = 0.5
# The API notices a closed connection with its next event or ping. Seconds.
GONE = 11.0
# The limit of the loop's longest pause. Seconds.
PAUSE_LIMIT = 0.05
# One read per change, and some for polls between the changes.
READS_LIMIT = 2.0
FILL = """
    INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status, transfer)
    SELECT $1::bigint, 'sha256:' || encode(sha256((100000 * $1::bigint + n)::text::bytea), 'hex'), n, 1000000,
           CASE WHEN n % 20 < 3 THEN n ELSE 0 END, CASE WHEN n % 20 < 3 THEN 'downloading' ELSE 'pending' END,
           CASE WHEN n % 20 < 3 THEN 'copied' END
    FROM generate_series(0, $2 - 1) AS n
"""
CHANGE = """
    WITH layer AS (
        UPDATE import_layers SET byte_offset = byte_offset + 1000 WHERE import_id = $1 AND position = 0
    )
    UPDATE imports SET sequence = sequence + 1, bytes_done = bytes_done + 1000, moved_at = now(), updated_at = now()
    WHERE id = $1
"""


@dataclass
class Loop:
    """The event loop's longest pauses since `clear`."""

    seconds: float = 0.0
    processor: float = 0.0

    def clear(self) -> None:
        self.seconds = self.processor = 0.0

    async def watch(self) -> None:
        """Measure until cancelled; each turn lets every other task run that is ready."""
        while True:
            wall, processor = perf_counter(), thread_time()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.seconds = max(self.seconds, perf_counter() - wall)
            self.processor = max(self.processor, thread_time() - processor)
            await asyncio.sleep(0.001)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One measurement. Seconds; `reads` and `processor` are per change, without those of as long a time without any."""

    what: str
    pause: float
    pause_processor: float
    answer: float = 0.0
    bytes: int = 0
    reads: float = 0.0
    processor: float = 0.0
    events: float = 0.0


@dataclass
class Bench:
    """The running API and its database."""

    url: str
    database: asyncpg.Connection[Any]
    tokens: list[str]
    worker: str
    loop: Loop = field(default_factory=Loop)
    reads: int = 0

    async def add_import(self, layers: int) -> int:
        """Add an image whose import runs and has so many layers; return the import's id, which is its image's, too."""
        image = await self.database.fetchval(
            "INSERT INTO images (registry_host, repository, tag, status, source, created_by) "
            "VALUES ('h', 'app', $1, 'importing', 's:1', 'user-0') RETURNING id",
            f"v{layers}",
        )
        found: int = await self.database.fetchval(
            "INSERT INTO imports (name, image_id, state, source, requested_by) "
            "VALUES ('import-' || $1::bigint, $1, 'queued', 's:1', 'user-0') RETURNING id",
            image,
        )
        await self.database.execute(
            "UPDATE imports SET state = 'running', attempt = 1, begun_attempt = 1, "
            "lease_until = now() + interval '1 hour' WHERE id = $1",
            found,
        )
        await self.database.execute(FILL, found, layers)
        await self.database.execute("ANALYZE import_layers")
        return found

    async def clients(self, mode: str, path: str, count: int, *rest: str) -> asyncio.subprocess.Process:
        """Start the clients' process."""
        command = [sys.executable, "-m", "benchmarks.stream_readers", mode, self.url + path, str(count), *rest]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, limit=2**24)

    async def requests(self, what: str, mode: str, path: str, *rest: str) -> Figures:
        """Measure requests of one client, one after another."""
        self.loop.clear()
        process = await self.clients(mode, path, REQUESTS, *rest)
        out, _ = await process.communicate(b"")
        found = json.loads(out)
        return Figures(
            what=what,
            pause=self.loop.seconds,
            pause_processor=self.loop.processor,
            answer=sorted(found["seconds"])[REQUESTS // 2],
            bytes=found.get("bytes", 0),
        )

    async def streams(self, what: str, image: int, count: int, changes: int) -> Figures:
        """Measure streams of one image while it changes, and for as long while it does not."""
        process = await self.clients("stream", f"/images/{image}/importing-details", count, *self.tokens)
        assert process.stdout
        await process.stdout.readline()
        quiet = await self._spend(image, changes, changing=False)
        self.loop.clear()
        busy = await self._spend(image, changes, changing=True)
        pauses = self.loop.seconds, self.loop.processor
        out, _ = await process.communicate(b"")
        events = json.loads(out)
        # Until the API has noticed that the readers are gone.
        await asyncio.sleep(GONE)
        return Figures(
            what=what,
            pause=pauses[0],
            pause_processor=pauses[1],
            reads=(busy[0] - quiet[0]) / changes,
            processor=(busy[1] - quiet[1]) / changes,
            events=sum(events) / len(events) / changes,
        )

    async def _spend(self, image: int, changes: int, *, changing: bool) -> tuple[int, float]:
        """Return the reads and the processor time of so many intervals."""
        reads, processor = self.reads, process_time()
        for _ in range(changes):
            if changing:
                await self.database.execute(CHANGE, image)
            await asyncio.sleep(CHANGE_INTERVAL)
        await asyncio.sleep(2 * CHANGE_INTERVAL)
        return self.reads - reads, process_time() - processor


@asynccontextmanager
async def open_bench(url: str, users: int) -> AsyncIterator[Bench]:
    """Start the API without its background loops."""
    async with open_database(url, application="benchmark", size=1) as opened, opened.connection() as connection:
        tokens = [await create_token(connection, user=f"user-{n}", role=Role.USER, lifetime=None) for n in range(users)]
        worker = await create_token(connection, user="worker", role=Role.WORKER, lifetime=None)
    os.environ |= {"DATABASE_URL": url, "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/", "SECRET_KEYS": new_key()}
    os.environ |= {"TARGET_URL": "http://127.0.0.1:1", "TARGET_KIND": "registry", "LOG_LEVEL": "WARNING"}
    parts = [part for part in PARTS[: PARTS.index(readiness_part)] if part.__name__ not in BACKGROUND]
    runner = web.AppRunner(create_app(read_settings(), parts), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    database = await asyncpg.connect(url)
    [(host, port)] = runner.addresses
    bench = Bench(url=f"http://{host}:{port}/api/v1", database=database, tokens=tokens, worker=worker)
    _count_reads(bench)
    watching = asyncio.create_task(bench.loop.watch())
    try:
        yield bench
    finally:
        watching.cancel()
        await database.close()
        await runner.cleanup()


BACKGROUND = frozenset({"relay_part", "reaper_part", "deletions_part", "patrol_part"})


def _count_reads(bench: Bench) -> None:
    """Count the reads of details: each begins with the image's newest import."""
    read = imports.latest_import

    async def counted(*values: Any) -> Any:
        bench.reads += 1
        return await read(*values)

    setattr(imports, read.__name__, counted)


async def measure(url: str, streams: int, changes: int) -> list[Figures]:
    """Return all figures."""
    async with open_bench(url, -(-streams // STREAMS_PER_USER)) as bench:
        many, ordinary = await bench.add_import(MANY), await bench.add_import(ORDINARY)
        details = [
            await bench.requests(
                f"details, {layers:,} layers", "poll", f"/images/{image}/importing-details", bench.tokens[0]
            )
            for image, layers in ((ordinary, ORDINARY), (many, MANY))
        ]
        page = await bench.requests(
            "a page of 20,000", "poll", f"/images/{many}/importing-details?page_num=40", bench.tokens[0]
        )
        shared = [
            await bench.streams(f"{streams} streams, {layers:,} layers", image, streams, changes)
            for image, layers in ((ordinary, ORDINARY), (many, MANY))
        ]
        return [*details, page, *shared, await _reports(bench, many)]


async def _reports(bench: Bench, image: int) -> Figures:
    """Measure a worker's reports on one of the layers."""
    digest = await bench.database.fetchval("SELECT digest FROM import_layers WHERE import_id = $1 LIMIT 1", image)
    layer = LayerProgress(size=1_000_000, offset=999, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)
    body = dump_report(ProgressReport(attempt=1, sequence=1_000, state=ReportedState.RUNNING, layers={digest: layer}))
    path = f"/images:import/import-{image}/progress"
    return await bench.requests("reports, 20,000 layers", "report", path, bench.worker, json.dumps(body))


def bars(figures: list[Figures]) -> dict[str, Bar]:
    """Return the limits of the loop's pauses and of the reads."""
    pauses = {f"pause, {each.what}": Bar.at_most(each.pause_processor, PAUSE_LIMIT) for each in figures}
    reads = {f"reads, {each.what}": Bar.at_most(each.reads, READS_LIMIT) for each in figures if each.events}
    return pauses | reads


def main() -> None:
    """Start PostgreSQL, measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the report")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--changes", type=int, default=20)
    options = parser.parse_args()
    before = conditions()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with Scratch() as scratch, Postgres(scratch) as postgres:
        migrate(postgres.url)
        figures = uvloop.run(measure(postgres.url, options.streams, options.changes))
    rows = [
        [
            each.what,
            *(f"{1000 * value:.1f} ms" for value in (each.pause_processor, each.pause, each.answer)),
            f"{each.bytes / 1000:.0f} kB",
            *(f"{each.reads:.1f}", f"{1000 * each.processor:.1f} ms", f"{each.events:.2f}"),
        ]
        for each in figures
    ]
    headings = ("", "longest pause", "by the clock", "answer", "size", "reads/change", "CPU/change", "events/change")
    print(table(headings, rows))
    print(table(("bar", "value", "limit", "held"), bar_rows(bars(figures))))
    if options.json:
        document = {"figures": [asdict(each) for each in figures], "bars": bars_json(bars(figures))}
        write_json(options.json, {"before": before, "after": conditions(), **document})


if __name__ == "__main__":
    main()
