"""One user has far more imports than there are slots, or sources that drip; another one imports small images."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from shared.model.states import OPEN_STATES, ImportState
from tests.faults.bench.imports import Change, PushedImage
from tests.faults.bench.testbed import AT_ONCE, REQUEST_SECONDS, Testbed
from tests.faults.bench.verdict import Verdict, latencies
from tests.faults.fault import Delay, Direction
from tests.faults.scripted_server import serving
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry

PROMISE = "A user's small imports are ready in time, whatever another user imports, and no user is above the share."

WORKERS, SLOTS, RESERVED = 2, 2, 1
# The delay of the source's responses, so that imports mostly wait: the machine's two processors must not limit both
# users. Seconds.
SOURCE_DELAY = 0.4
# The promise: the 99th percentile of the other user's times until an image is ready, and its ratio to the time alone.
# Seconds. The short form runs beside other tests, which change the ratio of its few imports.
READY_SECONDS = 10.0
TIMES_ALONE = 2.0
READY_AMONG_TESTS = 40.0
# Imports that a user with a running one may claim while the other's first import waits: the claim and the request may
# commit at the same moment. Imports.
AT_THE_SAME_MOMENT = 2
LAYER_SIZE = 4 * 1024 * 1024
DRIP_BYTES, DRIP_PAUSE = 2048, 1.0
TIMEOUT = 240.0
NEIGHBOUR = "neighbour"
OWN = f"SELECT name FROM imports WHERE requester_subject = '{NEIGHBOUR}'"
# Due imports of the user with many.
QUEUED = f"""
SELECT count(*) FROM imports
WHERE state IN ('queued', 'waiting') AND due_at <= now() AND requester_subject <> '{NEIGHBOUR}'
"""
# The next load finds free slots.
POSTPONE = "UPDATE imports SET due_at = now() + interval '1 day' WHERE state IN ('queued', 'waiting')"
END = """
SELECT json_build_array(state, extract(epoch FROM finished_at - created_at)) FROM imports WHERE name = '{name}'
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The other user's imports beside one load: their times, and the load's imports that waited at the end."""

    name: str
    seconds: Sequence[float]
    failed: int
    queued: int

    @property
    def p99(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def play(testbed: Testbed) -> Verdict:
    """Import small images alone, beside a long queue, and beside sources that drip."""
    images, queue, sources = testbed.size.of(full=(100, 1_000, 20), short=(3, 60, 12))
    link = testbed.link("source", testbed.source.port)
    link.set(Delay(direction=Direction.TO_CLIENT, seconds=SOURCE_DELAY))
    with serving(ScriptedRegistry()) as dripping:
        testbed.allow(dripping.host)
        testbed.start(workers=WORKERS, WORKER_SLOTS=str(SLOTS), WORKER_RESERVED_SLOTS=str(RESERVED))
        neighbour = _Neighbour(testbed, link.host)
        alone = neighbour.part("alone", images)
        [pushed] = testbed.push(1, host=link.host)
        _request_all(testbed, [(pushed.reference, f"many/{number}:1") for number in range(queue)])
        parts = [neighbour.part("queue", images)]
        testbed.sql(POSTPONE)
        testbed.wait_until(lambda: testbed.sql("SELECT count(*) FROM imports WHERE state = 'running'") == "0", TIMEOUT)
        _request_all(testbed, list(_drip(testbed, dripping, sources)))
        testbed.wait_until(lambda: _running(testbed) >= WORKERS * SLOTS, TIMEOUT)
        parts.append(neighbour.part("drip", images))
    return _verdict(testbed, alone, parts, set(testbed.sql(OWN).splitlines()))


def _verdict(testbed: Testbed, alone: Part, parts: Sequence[Part], own: set[str]) -> Verdict:
    overtaken, most = _shares(testbed.changes(), own)
    ready = testbed.size.of(full=READY_SECONDS, short=READY_AMONG_TESTS)
    times = testbed.size.of(full=TIMES_ALONE, short=READY_AMONG_TESTS)
    return Verdict(
        held=all(part.failed == 0 and part.queued > 0 for part in parts)
        and all(part.p99 <= min(ready, times * alone.p99) for part in parts)
        and max(overtaken) <= AT_THE_SAME_MOMENT
        and most <= WORKERS * SLOTS,
        figures={
            **latencies("alone", alone.seconds),
            **{name: value for part in parts for name, value in latencies(part.name, part.seconds).items()},
            **{f"{part.name}_times_alone": round(part.p99 / alone.p99, 2) for part in parts},
            **{f"{part.name}_left_queued": part.queued for part in parts},
            "failed": sum(part.failed for part in (alone, *parts)),
            "imports": len(own),
            "most_overtaken": max(overtaken),
            "most_running_of_one_user": most,
            "slots": WORKERS * SLOTS,
            "reserved_slots": WORKERS * RESERVED,
        },
    )


class _Neighbour:
    """The other user, who imports one small image after the other."""

    def __init__(self, testbed: Testbed, host: str) -> None:
        self._testbed, self._host = testbed, host
        self._token = testbed.apis[0].new_token(NEIGHBOUR, "user")

    def part(self, name: str, images: int) -> Part:
        """Import so many images, and return their times."""
        ends = [self._import(pushed) for pushed in self._testbed.push(images, host=self._host)]
        seconds = [seconds for state, seconds in ends if state is ImportState.READY]
        queued = int(self._testbed.sql(QUEUED))
        return Part(name=name, seconds=seconds or [TIMEOUT], failed=len(ends) - len(seconds), queued=queued)

    def _import(self, pushed: PushedImage) -> tuple[ImportState, float]:
        """Import an image; return its state, and the seconds from its acceptance to its end."""
        name = _request(self._testbed, self._token, {"source": pushed.reference})

        def end() -> tuple[ImportState, float]:
            state, seconds = json.loads(self._testbed.sql(END.format(name=name)))
            return ImportState(state), seconds or TIMEOUT

        limit = self._testbed.size.of(full=TIMEOUT, short=READY_AMONG_TESTS)
        self._testbed.wait_until(lambda: end()[0] not in OPEN_STATES, limit)
        return end()


def _request_all(testbed: Testbed, wanted: Sequence[tuple[str, str]]) -> None:
    """Request these sources to these targets, as the user with many."""

    def request(one: tuple[str, str]) -> str:
        return _request(testbed, testbed.shared_servers.user_token, {"source": one[0], "target": one[1]})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(request, wanted))


def _request(testbed: Testbed, token: str, body: object) -> str:
    """Request an import; return its name."""

    def accepted() -> str:
        status, answer = testbed.apis[0].request("POST", "/api/v1/images:import", token, body, seconds=REQUEST_SECONDS)
        if status != http.client.OK:
            raise OSError(f"{status} {answer}")
        name: str = answer["name"]
        return name

    return testbed.retrying(accepted, TIMEOUT)


def _running(testbed: Testbed) -> int:
    return int(testbed.sql("SELECT count(*) FROM imports WHERE state = 'running'"))


def _drip(testbed: Testbed, registry: ScriptedRegistry, sources: int) -> Iterator[tuple[str, str]]:
    """Add images whose layers come slowly; yield each source with its target."""
    config = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
    for number in range(sources):
        repository = f"drip/{number}"
        layer = testbed.rng.randbytes(LAYER_SIZE)
        path = f"/v2/{repository}/blobs/{registry.add_blob(repository, layer)}"
        registry.on("GET", path).drip(DRIP_BYTES, DRIP_PAUSE)
        registry.add_blob(repository, config)
        body = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _entry("application/vnd.oci.image.config.v1+json", config),
            "layers": [_entry("application/vnd.oci.image.layer.v1.tar", layer)],
        }
        registry.add_manifest(repository, "latest", json.dumps(body).encode(), str(body["mediaType"]))
        yield f"{registry.host}/{repository}:latest", f"drip/{number}:1"


def _entry(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _shares(changes: Sequence[Change], own: set[str]) -> tuple[list[int], int]:
    """Return, for each of the neighbour's imports, the other's claims while it waited; and the other's most running."""
    running: set[str] = set()
    waiting: dict[str, int] = {}
    overtaken, most = [0], 0
    for change in changes:
        if change.name in own:
            _note_own(change, waiting, overtaken.append)
        elif change.state is ImportState.RUNNING:
            running.add(change.name)
            most = max(most, len(running))
            waiting = {name: claims + 1 for name, claims in waiting.items()}
        else:
            running.discard(change.name)
    return [*overtaken, *waiting.values()], most


def _note_own(change: Change, waiting: dict[str, int], end: Callable[[int], None]) -> None:
    """Begin or end the wait of one of the neighbour's imports."""
    if change.state is ImportState.QUEUED:
        waiting[change.name] = 0
    elif change.name in waiting:
        end(waiting.pop(change.name))
