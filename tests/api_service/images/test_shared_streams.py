"""Event streams of one image share their work, have places per user, and end with their tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from api_service.auth.jwt_claims import LEEWAY
from api_service.images import stream_places, watched_import
from api_service.images.import_details import ImportDetailsReader, ImportSnapshot, LayerPage
from api_service.images.keys import FEED
from api_service.web.event_stream import event
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ReportedState
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.auth.oidc_issuer import Issuer
from tests.api_service.images.test_details import DEADLINE, STREAM, Import, Stream, started
from tests.api_service.images.test_visibility import COMPLETED, NEWER, Place, add_import, place, report

__all__ = ["place", "started"]  # Fixtures.

STREAMS = 12
SECOND = "app-1.0-second"


@dataclass
class Work:
    """The reads and the events that the API made; reads wait at the gate."""

    reads: int = 0
    events: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[Exception] = field(default_factory=list)

    def clear(self) -> None:
        self.reads = self.events = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Counts the work of streams; without polls, so that each read has another reason."""
    counted = Work()
    counted.gate.set()
    snapshot = ImportDetailsReader.snapshot

    async def read(self: ImportDetailsReader, image_id: int, page: LayerPage | None = None) -> ImportSnapshot:
        counted.reads += 1
        await counted.gate.wait()
        if counted.errors:
            raise counted.errors.pop()
        return await snapshot(self, image_id, page)

    def write(*values: Any, **options: Any) -> bytes:
        counted.events += 1
        return event(*values, **options)

    monkeypatch.setattr(ImportDetailsReader, "snapshot", read)
    monkeypatch.setattr("api_service.images.answers.event", write)
    monkeypatch.setattr(watched_import, "POLL_INTERVAL", 3600.0)
    return counted


@asynccontextmanager
async def streaming(api: Api, image_id: int, token: str | None = None) -> AsyncIterator[Stream]:
    headers = {**api.authorization(token=token), **STREAM}
    async with api.client.get(f"{BASE}/images/{image_id}/importing-details", headers=headers) as response:
        assert response.status == 200
        yield Stream(response)


async def until_read(work: Work, reads: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while work.reads < reads:  # noqa: ASYNC110 - nothing here could set an event
            await asyncio.sleep(0.01)


async def until_open(api: Api, streams: int) -> None:
    app = api.client.app
    assert app
    async with asyncio.timeout(DEADLINE):
        while app[FEED].places.taken < streams:  # noqa: ASYNC110 - nothing here could set an event
            await asyncio.sleep(0.01)


async def test_a_change_is_read_and_written_once_for_all_streams(started: Import, work: Work) -> None:
    async with AsyncExitStack() as opened:
        streams = [await opened.enter_async_context(streaming(started.api, started.id)) for _ in range(STREAMS)]
        for stream in streams:
            assert await stream.next()
        work.clear()
        await started.api.claim_only(started.name)
        events = [await stream.next() for stream in streams]
    assert {event.id for event in events if event} == {f"{started.name}/1.0.running"}
    assert (len(events), work.reads, work.events) == (STREAMS, 1, 1)


async def test_a_change_is_written_once_for_those_who_see_the_content_and_once_for_others(
    place: Place, work: Work
) -> None:
    await add_import(place.api, place.image_id, SECOND, with_account=True)
    readers = ("owner", "admin", "reached", "other", "other")
    async with AsyncExitStack() as opened:
        tokens = [place.tokens[reader] for reader in readers]
        streams = [await opened.enter_async_context(streaming(place.api, place.image_id, token)) for token in tokens]
        for stream in streams:
            assert await stream.next()
        work.clear()
        await report(place.api, SECOND, ReportedState.RUNNING, layers={NEWER: COMPLETED})
        events = [await stream.next() for stream in streams]
    assert [list(event.details["layersDetail"]) for event in events if event] == 3 * [[NEWER]] + 2 * [[]]
    assert (work.reads, work.events) == (1, 2)


async def test_streams_that_begin_during_a_read_share_the_next(started: Import, work: Work) -> None:
    """A read that began before a request may have missed a change that its sender has caused."""
    async with streaming(started.api, started.id) as first:
        assert await first.next()
        work.clear()
        work.gate.clear()
        await started.api.claim_only(started.name)
        await until_read(work, 1)
        async with AsyncExitStack() as opened:
            opening = [
                asyncio.create_task(opened.enter_async_context(streaming(started.api, started.id)))
                for _ in range(STREAMS)
            ]
            await until_open(started.api, STREAMS + 1)
            work.gate.set()
            for stream in await asyncio.gather(*opening):
                event = await stream.next()
                assert event
                assert event.details["state"] == "running"
    assert work.reads == 2


async def test_a_new_streams_first_event_is_not_older_than_its_request(started: Import, work: Work) -> None:
    """Also without a notification; the other streams of the image then see the change, too."""
    async with streaming(started.api, started.id) as earlier:
        assert await earlier.next()
        await started.api.execute("ALTER TABLE imports DISABLE TRIGGER imports_notify")
        try:
            await started.api.claim_only(started.name)
            async with streaming(started.api, started.id) as later:
                event = await later.next()
                assert event
                assert event.details["state"] == "running"
                await earlier.wait_for("running")
        finally:
            await started.api.execute("ALTER TABLE imports ENABLE TRIGGER imports_notify")


async def test_a_stream_outlasts_a_read_that_fails(started: Import, work: Work) -> None:
    """A new stream gets the error; the others go on with the next read."""
    async with streaming(started.api, started.id) as stream:
        assert await stream.next()
        work.errors.append(LongshoreError(Code.DATABASE_UNAVAILABLE, "Away."))
        path = f"{BASE}/images/{started.id}/importing-details"
        answer = await started.api.call("GET", path, headers=STREAM)
        assert (answer.status, answer.code) == (503, "database_unavailable")
        await started.api.claim_only(started.name)
        await stream.wait_for("running")


async def test_an_unexpected_error_ends_the_streams_and_not_the_next(started: Import, work: Work) -> None:
    async with streaming(started.api, started.id) as stream:
        assert await stream.next()
        work.errors.append(ZeroDivisionError())
        await started.api.claim_only(started.name)
        assert await stream.next() is None
    async with streaming(started.api, started.id) as stream:
        assert await stream.next()


async def test_a_stream_after_a_retry_does_not_end_with_the_failure_before(started: Import, work: Work) -> None:
    """Also while others read the failure: the import is followed anew."""
    async with streaming(started.api, started.id) as earlier:
        assert await earlier.next()
        work.gate.clear()
        work.clear()
        await started.api.execute("UPDATE imports SET state = 'cancelled', finished_at = now()")
        await until_read(work, 1)
        async with AsyncExitStack() as opened:
            opening = asyncio.create_task(opened.enter_async_context(streaming(started.api, started.id)))
            await until_open(started.api, 2)
            work.gate.set()
            await earlier.wait_for("cancelled")
            stream = await opening
            assert await stream.next()
    assert work.reads == 2


async def test_a_user_has_a_limited_number_of_streams(
    started: Import, monkeypatch: pytest.MonkeyPatch, work: Work
) -> None:
    """Whichever of his tokens opens them; another user has his own, and an ended stream makes room."""
    monkeypatch.setattr(stream_places, "MAX_STREAMS_PER_USER", 2)
    api, path = started.api, f"{BASE}/images/{started.id}/importing-details"
    tokens = [await api.token("ada") for _ in range(3)]
    async with streaming(api, started.id, tokens[0]) as first:
        assert await first.next()
        async with streaming(api, started.id, tokens[1]) as second:
            assert await second.next()
            work.clear()
            answer = await api.call("GET", path, token=tokens[2], headers=STREAM)
            assert (answer.status, answer.code, work.reads) == (429, "stream_limit_reached", 0)
            assert answer.headers["Retry-After"] == "10"
            assert (await api.call("GET", path, token=tokens[2])).status == 200
            async with streaming(api, started.id, await api.token("grace")) as others:
                assert await others.next()
            await api.execute("UPDATE imports SET state = 'cancelled', finished_at = now()")
            await second.wait_for("cancelled")
            assert await second.next() is None
    async with streaming(api, started.id, tokens[2]) as third:
        assert await third.next()


@pytest.mark.parametrize("change", ["role = 'admin'", "revoked_at = now()", "expires_at = now() - interval '1 second'"])
async def test_a_quiet_stream_ends_with_its_token(started: Import, change: str) -> None:
    """Its token is checked even if the import makes no progress for days; another reader's stream goes on."""
    token = await started.api.token("ada")
    async with streaming(started.api, started.id) as other, streaming(started.api, started.id, token) as stream:
        assert await other.next()
        assert await stream.next()
        await started.api.execute(f"UPDATE api_tokens SET {change} WHERE user_name = 'ada'")
        assert await stream.next() is None
        await started.api.claim_only(started.name)
        await other.wait_for("running")


async def test_a_demoted_admins_stream_ends(started: Import) -> None:
    """An admin sees all content; he is not an admin any more."""
    token = await started.api.token("root", Role.ADMIN)
    async with streaming(started.api, started.id, token) as stream:
        assert await stream.next()
        await started.api.execute("UPDATE api_tokens SET role = 'user' WHERE user_name = 'root'")
        assert await stream.next() is None


async def test_a_stream_ends_with_its_jwt(jwt_api: Api, issuer: Issuer, image_source: str) -> None:
    begun = await jwt_api.start({"source": image_source})
    expires = int(time.time() - LEEWAY) + 4
    token = issuer.token("ada", sub="s-1", exp=expires)
    async with streaming(jwt_api, begun["imageId"], token) as stream:
        assert await stream.next()
        assert await stream.next() is None
    assert time.time() >= expires + LEEWAY
