"""GET /images/:id/importing-details, once and as an event stream."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientResponse

from api_service.images import stream_places, watched_import
from api_service.images.import_feed import ImportFeed
from api_service.images.keys import FEED
from api_service.web import event_stream
from shared.db import notifications
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.roles import Role
from tests.api_service.api import BASE, Api, until

A = "sha256:" + 64 * "a"
CONTENT = ImageContent(
    source_digest=A, digest=A, size=1, architecture="amd64", os="linux", platforms=(), include_type="full"
)
STREAM = {"Accept": "text/event-stream"}
# An event arrives within a poll's interval; the limit allows for a busy machine. Seconds.
DEADLINE = 15.0


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    retry: str | None
    details: Any


@dataclass(frozen=True)
class Stream:
    """An open event stream."""

    response: ClientResponse

    async def next(self) -> Event | None:
        """Return the next event, or None at the end of the stream."""
        async with asyncio.timeout(DEADLINE):
            return await self._next()

    async def _next(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self.response.content:
            text = line.decode().rstrip("\r\n")
            if not text and fields:
                return Event(fields["event"], fields["id"], fields.get("retry"), json.loads(fields["data"]))
            if text and not text.startswith(":"):
                key, _, value = text.partition(": ")
                fields[key] = value
        return None

    async def wait_for(self, state: str) -> Any:
        """Read events until one shows this state, and return its details."""
        while event := await self.next():
            if event.details["state"] == state:
                return event.details
        raise AssertionError(f"the stream ended before {state}")


@asynccontextmanager
async def streaming(api: Api, image_id: int, **headers: str) -> AsyncIterator[Stream]:
    path = f"{BASE}/images/{image_id}/importing-details"
    async with api.client.get(path, headers={**api.authorization(), **STREAM, **headers}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response)


@dataclass(frozen=True)
class Import:
    api: Api
    id: int
    name: str

    async def details(self) -> Any:
        return await self.api.get(f"/images/{self.id}/importing-details")

    async def report(self, sequence: int, state: ReportedState = ReportedState.RUNNING, **more: Any) -> None:
        report = ProgressReport(attempt=1, sequence=sequence, state=state, **more)
        assert (await self.api.report(self.name, report)).status == 200

    async def copied(self, sequence: int, offset: int) -> None:
        layer = LayerProgress(size=1000, offset=offset, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)
        await self.report(sequence, layers={A: layer})


@pytest.fixture
async def started(api: Api, image_source: str) -> Import:
    answer = await api.start({"source": image_source})
    return Import(api, answer["imageId"], answer["name"])


async def test_a_queued_import_says_so(started: Import) -> None:
    assert await started.details() == {
        "name": started.name,
        "status": "importing",
        "state": "queued",
        "progress": 0,
        "bytesDone": 0,
        "bytesTotal": 0,
        "rate": 0,
        "eta": None,
        "attempt": 0,
        "stalled": False,
        "message": "Waiting for a worker.",
        "error": None,
        "resumesAt": None,
        "contentHidden": False,
        "layersSummary": {
            "total": 0,
            "shown": 0,
            "pending": 0,
            "downloading": 0,
            "completed": 0,
            "failed": 0,
            "copied": {"layers": 0, "bytes": 0},
            "mounted": {"layers": 0, "bytes": 0},
            "existing": {"layers": 0, "bytes": 0},
        },
        "layersDetail": {},
    }


async def test_rate_and_remaining_time_are_shown_while_bytes_move(started: Import) -> None:
    await started.api.claim(started.name)
    await started.api.execute("UPDATE imports SET updated_at = now() - interval '1 second'")
    await started.copied(1, 500)
    details = await started.details()
    assert 100 < details["rate"] <= 500
    assert details["eta"] == pytest.approx(500 / details["rate"], abs=1)
    assert details["message"] == "Copying."


async def test_a_running_import_on_which_nothing_moves_is_stalled(started: Import) -> None:
    """`stalled` is true while the import makes no progress, and the rate is 0."""
    await started.api.claim(started.name)
    await started.copied(1, 500)
    await started.api.execute("UPDATE imports SET moved_at = now() - interval '14 seconds'")
    assert not (await started.details())["stalled"]
    await started.api.execute("UPDATE imports SET moved_at = now() - interval '16 seconds'")
    details = await started.details()
    assert (details["stalled"], details["rate"], details["eta"]) == (True, 0, None)
    assert "Nothing has moved" in details["message"]


async def test_a_stream_sends_every_change_to_the_end(started: Import) -> None:
    """The first event comes at once, the last is final, then the stream closes; progress never decreases."""
    async with streaming(started.api, started.id) as stream:
        first = await stream.next()
        assert first
        assert (first.name, first.details, first.retry) == ("details", await started.details(), "2000")
        await started.api.claim(started.name)
        await stream.wait_for("running")
        await started.copied(1, 400)
        second = await stream.next()
        assert second
        assert (second.details["progress"], second.details["layersDetail"][A]["progress"]) == (40, 40)
        await started.report(2, ReportedState.READY, content=CONTENT)
        last = await stream.next()
        assert last
        assert last.details == await started.details()
        assert (last.details["state"], last.details["progress"]) == ("ready", 100)
        assert await stream.next() is None


@pytest.mark.parametrize("accept", ["Text/Event-Stream", "application/json;q=0.5, text/event-stream"])
async def test_a_stream_may_be_asked_for_in_any_spelling(started: Import, accept: str) -> None:
    """Media types are case-insensitive (RFC 9110, 8.3.1), and may be part of a list."""
    async with streaming(started.api, started.id, Accept=accept) as stream:
        assert await stream.next()


async def test_a_failure_is_final_too(started: Import) -> None:
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        await started.api.claim(started.name)
        lost = ReportedError(code=Code.BLOB_NOT_FOUND, detail="Gone.")
        await started.report(1, ReportedState.FAILED, error=lost)
        assert (await stream.wait_for("failed"))["error"]["code"] == "blob_not_found"
        assert await stream.next() is None


async def test_news_come_at_once_and_not_with_the_next_poll(started: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's notification wakes the stream."""
    monkeypatch.setattr(watched_import, "POLL_INTERVAL", 3600.0)
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        await started.api.claim(started.name)
        await stream.wait_for("running")


async def test_news_come_without_notifications_too(started: Import) -> None:
    """Notifications are hints; without them, the poll finds the change."""
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        await started.api.execute("ALTER TABLE imports DISABLE TRIGGER imports_notify")
        try:
            await started.api.claim(started.name)
            await stream.wait_for("running")
        finally:
            await started.api.execute("ALTER TABLE imports ENABLE TRIGGER imports_notify")


async def test_a_stream_is_not_faster_than_eyes(started: Import) -> None:
    """Fifty reports in a row cause a few events, the last of them with the newest state."""
    await started.api.claim(started.name)
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        began = time.monotonic()
        for number in range(1, 51):
            await started.copied(number, number)
        events = 0
        while event := await stream.next():
            events += 1
            if event.details["bytesDone"] == 50:
                break
    assert 1 <= events <= 2 + (time.monotonic() - began) / watched_import.MIN_INTERVAL


async def test_a_stream_of_a_finished_import_is_one_event(started: Import) -> None:
    """A browser that reconnects after it gets 204, which makes it stop (HTML, server-sent events)."""
    await started.api.claim(started.name)
    await started.report(1, ReportedState.READY, content=CONTENT)
    async with streaming(started.api, started.id) as stream:
        event = await stream.next()
        assert event
        assert await stream.next() is None
    path = f"{BASE}/images/{started.id}/importing-details"
    again = await started.api.call("GET", path, headers={**STREAM, "Last-Event-ID": event.id})
    assert again.status == 204


async def test_a_stream_of_an_unknown_image_is_not_found(api: Api) -> None:
    answer = await api.call("GET", f"{BASE}/images/99/importing-details", headers=STREAM)
    assert (answer.status, answer.code) == (404, "image_not_found")


async def test_a_deleted_images_stream_ends(started: Import) -> None:
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        await started.api.execute("DELETE FROM images")
        assert await stream.next() is None


async def test_streams_beyond_the_limit_end_after_their_first_event(
    started: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their clients then poll at a slower pace."""
    monkeypatch.setattr(stream_places, "MAX_STREAMS", 1)
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        async with streaming(started.api, started.id) as refused:
            event = await refused.next()
            assert event
            assert event.retry == "10000"
            assert await refused.next() is None


async def test_streams_end_when_the_service_stops(started: Import) -> None:
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        async with asyncio.timeout(DEADLINE):
            await started.api.client.server.close()
        assert await stream.next() is None


@pytest.mark.parametrize(("module", "interval"), [(event_stream, "PING_INTERVAL"), (watched_import, "POLL_INTERVAL")])
async def test_a_reader_who_goes_away_gives_the_place_back(
    started: Import, monkeypatch: pytest.MonkeyPatch, module: ModuleType, interval: str
) -> None:
    """This holds even if the import makes no progress for days, so that no event is sent: a ping or a poll finds it."""
    monkeypatch.setattr(event_stream, "PING_INTERVAL", 3600.0)
    monkeypatch.setattr(watched_import, "POLL_INTERVAL", 3600.0)
    monkeypatch.setattr(module, interval, 0.3)
    app = started.api.client.app
    assert app
    feed: ImportFeed = app[FEED]
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        assert feed.places.taken == 1
        stream.response.close()

    async def nobody_reads() -> bool:
        return feed.places.taken == 0

    await until(nobody_reads)


async def test_streams_hear_again_after_the_listening_connection_was_lost(
    started: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API opens a new connection, and each stream reads the state once in case it missed a change."""
    monkeypatch.setattr(watched_import, "POLL_INTERVAL", 3600.0)
    monkeypatch.setattr(notifications, "RECONNECT_DELAY", 0.2)
    async with streaming(started.api, started.id) as stream:
        await stream.next()
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
        assert await started.api.value(f"{ended} AND datname = current_database()", "longshore listener") == 1
        await started.api.claim(started.name)
        await stream.wait_for("running")
        await started.copied(1, 100)
        event = await stream.next()
        assert event
        assert event.details["bytesDone"] == 100


async def test_the_details_are_for_people(started: Import) -> None:
    answer = await started.api.call("GET", f"{BASE}/images/{started.id}/importing-details", role=Role.WORKER)
    assert answer.status == 403
