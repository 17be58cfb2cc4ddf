"""A request is retried a few times if that may help, and never otherwise."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.retry import ATTEMPTS, LONGEST_RETRY_AFTER
from shared.rate_limits.limit import FIRST_PAUSE
from shared.registry.client import Registry
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, manifest_of, read
from tests.shared.fixtures import Opener

MANIFEST = manifest_of(b"config")
BLOB = described(b"layer")
PING = "/v2/"
UNAVAILABLE = error(503, "UNAVAILABLE", "not now")


@dataclass(frozen=True, kw_only=True)
class Step:
    """An operation that can be repeated, and the conditions under which it succeeds."""

    method: str
    path: str
    success: Answer
    ask: Callable[[Registry], Awaitable[object]]


STEPS = {
    "ping": Step(method="GET", path=PING, success=Answer(), ask=lambda registry: registry.ping()),
    "manifest": Step(
        method="GET",
        path="/v2/a/manifests/1",
        success=Answer(headers={"Content-Type": MANIFEST.media_type}, body=MANIFEST.content),
        ask=lambda registry: registry.repository("a").get_manifest("1"),
    ),
    "has blob": Step(
        method="HEAD",
        path=f"/v2/a/blobs/{BLOB.digest}",
        success=Answer(body=b"layer"),
        ask=lambda registry: registry.repository("a").has_blob(BLOB),
    ),
    "blob": Step(
        method="GET",
        path=f"/v2/a/blobs/{BLOB.digest}",
        success=Answer(body=b"layer"),
        ask=lambda registry: read(registry.repository("a"), BLOB),
    ),
    "start upload": Step(
        method="POST",
        path="/v2/a/blobs/uploads/",
        success=Answer(status=202, headers={"Location": "/x"}),
        ask=lambda registry: registry.repository("a").start_upload(),
    ),
    "put manifest": Step(
        method="PUT",
        path="/v2/a/manifests/1",
        success=Answer(status=201),
        ask=lambda registry: registry.repository("a").put_manifest("1", MANIFEST),
    ),
    "delete manifest": Step(
        method="DELETE",
        path=f"/v2/a/manifests/{MANIFEST.digest}",
        success=Answer(status=202),
        ask=lambda registry: registry.repository("a").delete_manifest(MANIFEST.digest),
    ),
}
FAULTS = {"503": UNAVAILABLE, "closed": Answer(raw=b"", close=True), "reset": Answer(raw=b"", reset=True)}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_passing_fault_is_passed_over(
    opened: Opener, hostile: HostileRegistry, step: Step, fault: Answer
) -> None:
    """This holds for every request that can be sent twice."""
    hostile.on(step.method, step.path, fault, step.success)
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    await step.ask(registries.registry(hostile.host))
    assert len(hostile.requests(step.method, step.path)) == 2


async def test_a_lasting_fault_is_reported_after_a_few_tries(opened: Opener, hostile: HostileRegistry) -> None:
    """The import as a whole waits longer than a request can."""
    hostile.on("GET", PING, UNAVAILABLE)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_unavailable"
    assert "503" in caught.value.detail
    assert "not now" in caught.value.detail
    assert len(hostile.asked) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 422, 501])
async def test_an_answer_that_will_not_change_is_not_asked_for_again(
    opened: Opener, hostile: HostileRegistry, status: int
) -> None:
    """A retry would only cost time, or lock the account."""
    hostile.on("GET", PING, Answer(status=status))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert not caught.value.kind.retryable
    assert len(hostile.asked) == 1


@pytest.mark.usefixtures("real_waits")
@pytest.mark.parametrize("status", [429, 503])
async def test_a_short_retry_after_is_waited_for(opened: Opener, hostile: HostileRegistry, status: int) -> None:
    """The registry states the time."""
    hostile.on("GET", PING, error(status, "UNAVAILABLE", Retry_After="1"), Answer())
    registries = await opened.loopback(hostile.host)
    started = time.monotonic()
    await registries.registry(hostile.host).ping()
    assert 1.0 <= time.monotonic() - started < 3.0


@pytest.mark.parametrize(("side", "code"), [(Side.SOURCE, "source_rate_limited"), (Side.TARGET, "target_rate_limited")])
async def test_a_long_retry_after_is_reported(opened: Opener, hostile: HostileRegistry, side: Side, code: str) -> None:
    """The import parks until then, in the database instead of in memory."""
    seconds = LONGEST_RETRY_AFTER + 1
    hostile.on("GET", PING, error(429, "TOOMANYREQUESTS", Retry_After=str(int(seconds))))
    registries = await opened.loopback(hostile.host, side=side)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == code
    assert caught.value.retry_after == pytest.approx(seconds, abs=0.5)
    assert caught.value.kind.parks
    assert len(hostile.asked) == 1


async def test_retry_after_may_be_a_date(opened: Opener, hostile: HostileRegistry) -> None:
    """RFC 9110, section 10.2.3."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    hostile.on("GET", PING, error(429, "TOOMANYREQUESTS", Retry_After=date))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.retry_after == pytest.approx(120, abs=5)


@pytest.mark.parametrize("value", ["soon", "-5", "", "1e3", "Mon, 99 Nov 2026 00:00:00 GMT", "²"])
async def test_a_rate_limit_without_a_usable_time_is_reported_at_once(
    opened: Opener, hostile: HostileRegistry, value: str
) -> None:
    """An immediate retry does not help; Longshore estimates the wait."""
    hostile.on("GET", PING, error(429, "TOOMANYREQUESTS", Retry_After=value))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_rate_limited"
    assert caught.value.retry_after == pytest.approx(FIRST_PAUSE, abs=0.5)
    assert len(hostile.asked) == 1


async def test_a_retry_after_beyond_reason_is_cut(opened: Opener, hostile: HostileRegistry) -> None:
    """An import must not park for a year because of one header."""
    for value in ("99999999999999999999", "Wed, 01 Jan 2100 00:00:00 GMT"):
        hostile.on("GET", PING, error(429, "TOOMANYREQUESTS", Retry_After=value))
        registries = await opened.loopback(hostile.host)
        with pytest.raises(LongshoreError) as caught:
            await registries.registry(hostile.host).ping()
        assert caught.value.retry_after == pytest.approx(24 * 3600, abs=0.5)


async def test_a_rate_limit_is_reported_by_every_step(opened: Opener, hostile: HostileRegistry) -> None:
    """Manifests, blobs and uploads alike, and from the token service."""
    limited = error(429, "TOOMANYREQUESTS", Retry_After="30")
    hostile.on("HEAD", "/v2/a/manifests/1", limited)
    hostile.on("GET", f"/v2/a/blobs/{BLOB.digest}", limited)
    hostile.on("POST", "/v2/a/blobs/uploads/", limited)
    hostile.on("GET", "/token", limited)
    challenge = {"WWW-Authenticate": f'Bearer realm="{hostile.url}/token"'}
    hostile.on("GET", PING, Answer(status=401, headers=challenge))
    asks: list[Callable[[Registry], Awaitable[object]]] = [
        lambda registry: registry.repository("a").head_manifest("1"),
        lambda registry: read(registry.repository("a"), BLOB),
        lambda registry: registry.repository("a").start_upload(),
        lambda registry: registry.ping(),
    ]
    for ask in asks:
        # Each request uses a new client, which does not know the limit in advance.
        registries = await opened.loopback(hostile.host)
        with pytest.raises(LongshoreError) as caught:
            await ask(registries.registry(hostile.host))
        assert caught.value.code == "source_rate_limited"
        assert caught.value.retry_after == pytest.approx(30, abs=0.5)
    assert [asked.path for asked in hostile.asked][-2:] == ["/v2/", "/token"]


async def test_a_connection_that_went_stale_is_replaced(opened: Opener, hostile: HostileRegistry) -> None:
    """Servers close idle connections; the next request must not fail because of it."""
    hostile.on("GET", PING, Answer(close=True))
    registries = await opened.loopback(hostile.host)
    for _ in range(3):
        await registries.registry(hostile.host).ping()
    assert hostile.connections == 3
