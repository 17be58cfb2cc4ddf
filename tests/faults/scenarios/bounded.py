"""Layers from a fast source to a slow target, and manifests that are huge, endless or cyclic."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.processes import peak_rss
from deploy.local.images.image import OCI
from deploy.local.stack import Worker
from shared.model.states import ImportState
from tests.faults.bench.imports import Outcome
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Direction, Pace
from tests.faults.scripted_server import serving
from tests.faults.stalled_copy import MIB
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry

PROMISE = "Memory and disk stay bounded, whatever an image is: a fixed cap for a worker, and nothing on its disk."

# The memory limit of a worker, for any number of imports and any size of layers. Bytes.
MEMORY = 150 * MIB
# The limit of a worker's writes, which are its log. Bytes.
WRITTEN = MIB
# The rate of the target for each connection: far less than the source's. Bytes per second.
SLOW = 6 * MIB
SLOTS = 8
TIMEOUT = 240.0
# An import of an invalid manifest is refused within this time, on a busy machine. Seconds.
REFUSED_SECONDS = 5.0
MANY = 1_000_000
DEEP = 200
WIDE = 3_000


def play(testbed: Testbed) -> Verdict:
    """Import invalid manifests, then images from a fast source to a slow target."""
    layer, number = testbed.size.of(full=(128 * MIB, SLOTS * 2), short=(3 * MIB, SLOTS // 2))
    link = testbed.link("target", testbed.target.port)
    with serving(ScriptedRegistry()) as hostile:
        testbed.allow(hostile.host)
        testbed.add_api(MAX_FAILURES="1")
        worker = testbed.add_worker(TARGET_URL=f"http://{link.host}", WORKER_SLOTS=str(SLOTS))
        idle = peak_rss(worker.pid)
        ends = [_refused(testbed, hostile, name) for name in MANIFESTS]
        after_manifests = peak_rss(worker.pid)
        pushed = testbed.push(number, layers=[layer])
        link.set(Pace(direction=Direction.TO_SERVER, rate=SLOW))
        began = time.monotonic()
        names = {one.name for one in testbed.accept_all(pushed)}
        outcomes = [one for one in testbed.wait_final(TIMEOUT) if one.name in names]
    seconds, peak, written = time.monotonic() - began, peak_rss(worker.pid), _written(worker)
    ready = sum(outcome.state is ImportState.READY for outcome in outcomes)
    return Verdict(
        held=peak <= MEMORY and written <= WRITTEN and ready == number and all(end.good for end in ends),
        figures={
            "worker_peak_mib": round(peak / MIB, 1),
            "worker_idle_mib": round(idle / MIB, 1),
            "worker_after_manifests_mib": round(after_manifests / MIB, 1),
            "cap_mib": MEMORY // MIB,
            "written_to_disk": written,
            "imports": number,
            "ready": ready,
            "bytes": number * layer,
            "bytes_a_second": round(number * layer / seconds),
            "manifests": [asdict(end) for end in ends],
        },
    )


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The end of an import of an invalid manifest; `sent` is the number of bytes that the source has sent."""

    name: str
    state: str
    code: str | None
    seconds: float
    sent: int

    @property
    def good(self) -> bool:
        return self.state == ImportState.FAILED and self.seconds <= REFUSED_SECONDS


def _refused(testbed: Testbed, hostile: ScriptedRegistry, name: str) -> Refused:
    repository = f"manifests/{name.replace(' ', '-')}"
    MANIFESTS[name](hostile, repository)
    before = sum(hostile.sent.values())
    began = time.monotonic()
    status, answer = testbed.ask("POST", "/images:import", {"source": f"{hostile.host}/{repository}:latest"})
    if status != 200:
        end, code = ImportState.FAILED, answer["code"]
    else:
        outcome = _end(testbed.wait_final(TIMEOUT), answer["name"])
        end, code = outcome.state, outcome.code
    seconds, sent = time.monotonic() - began, sum(hostile.sent.values()) - before
    return Refused(name=name, state=end.value, code=code, seconds=round(seconds, 3), sent=sent)


def _end(outcomes: Sequence[Outcome], name: str) -> Outcome:
    return next(outcome for outcome in outcomes if outcome.name == name)


def _index(entries: Sequence[tuple[str, int]], media_type: str) -> bytes:
    """Return an index of manifests of this type, by digest and size."""
    listed = [{"mediaType": media_type, "digest": digest, "size": size} for digest, size in entries]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI.index, "manifests": listed}).encode()


def _endless(hostile: ScriptedRegistry, repository: str) -> None:
    """Send an index that never ends."""
    hostile.add_manifest(repository, "latest", _index([(digest_of(b"any"), 3)], OCI.manifest), OCI.index)
    hostile.on("GET", f"/v2/{repository}/manifests/.*").send_endlessly()


def _huge(hostile: ScriptedRegistry, repository: str) -> None:
    """List a million manifests."""
    hostile.add_manifest(repository, "latest", _index([(digest_of(b"any"), 3)] * MANY, OCI.manifest), OCI.index)


def _wide(hostile: ScriptedRegistry, repository: str) -> None:
    """List as many distinct manifests as fit; none of them exists."""
    entries = [(digest_of(str(number).encode()), 3) for number in range(WIDE)]
    hostile.add_manifest(repository, "latest", _index(entries, OCI.manifest), OCI.index)


def _deep(hostile: ScriptedRegistry, repository: str) -> None:
    """Serve a deep chain of indexes."""
    body = _index([(digest_of(b"any"), 3)], OCI.manifest)
    for _ in range(DEEP):
        digest = hostile.add_manifest(repository, digest_of(body), body, OCI.index)
        body = _index([(digest, len(body))], OCI.index)
    hostile.add_manifest(repository, "latest", body, OCI.index)


def _cyclic(hostile: ScriptedRegistry, repository: str) -> None:
    """Serve the index as its own child, which needs a registry that lies about a digest."""
    child = digest_of(b"the child")
    body = _index([(child, 0)], OCI.index)
    body = _index([(child, len(body))], OCI.index)
    hostile.add_manifest(repository, "latest", body, OCI.index)
    rule = hostile.on("GET", f"/v2/{repository}/manifests/{child}").answer(200, body, {"Content-Type": OCI.index})
    rule.set_header("Docker-Content-Digest", child)


MANIFESTS: Mapping[str, Callable[[ScriptedRegistry, str], None]] = {
    "endless": _endless,
    "a million entries": _huge,
    "three thousand entries": _wide,
    "two hundred levels": _deep,
    "cyclic": _cyclic,
}


def _written(worker: Worker) -> int:
    """Return the bytes that the worker has written to disk (proc(5), write_bytes)."""
    lines = Path(f"/proc/{worker.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
