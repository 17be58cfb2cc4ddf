"""Layers that come faster than they go, and manifests that are huge, endless, or lead into themselves."""

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
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Outcome
from tests.faults.copying import MIB
from tests.faults.fault import Direction, Pace
from tests.faults.serving import serving
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry

PROMISE = "Memory and disk stay bounded, whatever an image is: a fixed cap for a worker, and nothing on its disk."

# Of a worker, however many imports and however large their layers. Bytes.
MEMORY = 150 * MIB
# Of a worker's writes: its log. Bytes.
WRITTEN = MIB
# What the target takes, of each connection: far less than the source gives. Bytes a second.
SLOW = 6 * MIB
SLOTS = 8
PATIENCE = 240.0
# A manifest that cannot be imported is refused so soon after its import was asked for, on a busy machine. Seconds.
REFUSED_SECONDS = 5.0
MANY = 1_000_000
DEEP = 200
WIDE = 3_000


def play(ground: Ground) -> Verdict:
    """Import from a fast source to a slow target, and what nobody could import."""
    layer, number = ground.size.of(full=(128 * MIB, SLOTS * 2), short=(3 * MIB, SLOTS // 2))
    link = ground.link("target", ground.target.port)
    with serving(ScriptedRegistry()) as hostile:
        ground.allow(hostile.host)
        ground.add_api(MAX_FAILURES="1")
        worker = ground.add_worker(TARGET_URL=f"http://{link.host}", WORKER_SLOTS=str(SLOTS))
        idle = peak_rss(worker.pid)
        ends = [_refused(ground, hostile, name) for name in MANIFESTS]
        after_manifests = peak_rss(worker.pid)
        wanted = ground.push(number, layers=[layer])
        link.set(Pace(direction=Direction.TO_SERVER, rate=SLOW))
        began = time.monotonic()
        names = {one.name for one in ground.accept_all(wanted)}
        outcomes = [one for one in ground.wait_final(PATIENCE) if one.name in names]
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
    """How an import of such a manifest ended, and how soon; `sent` are the bytes that the source got rid of."""

    name: str
    state: str
    code: str | None
    seconds: float
    sent: int

    @property
    def good(self) -> bool:
        return self.state == ImportState.FAILED and self.seconds <= REFUSED_SECONDS


def _refused(ground: Ground, hostile: ScriptedRegistry, name: str) -> Refused:
    repository = f"manifests/{name.replace(' ', '-')}"
    MANIFESTS[name](hostile, repository)
    before = sum(hostile.sent.values())
    began = time.monotonic()
    status, answer = ground.ask("POST", "/images:import", {"source": f"{hostile.host}/{repository}:latest"})
    if status != 200:
        end, code = ImportState.FAILED, answer["code"]
    else:
        outcome = _end(ground.wait_final(PATIENCE), answer["name"])
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
    """Begin as an index does, and go on for ever."""
    hostile.add_manifest(repository, "latest", _index([(digest_of(b"any"), 3)], OCI.manifest), OCI.index)
    hostile.on("GET", f"/v2/{repository}/manifests/.*").send_endlessly()


def _huge(hostile: ScriptedRegistry, repository: str) -> None:
    """List a million manifests."""
    hostile.add_manifest(repository, "latest", _index([(digest_of(b"any"), 3)] * MANY, OCI.manifest), OCI.index)


def _wide(hostile: ScriptedRegistry, repository: str) -> None:
    """List as many manifests as fit, each another one, and none of them there."""
    entries = [(digest_of(str(number).encode()), 3) for number in range(WIDE)]
    hostile.add_manifest(repository, "latest", _index(entries, OCI.manifest), OCI.index)


def _deep(hostile: ScriptedRegistry, repository: str) -> None:
    """Lead from index to index to index."""
    body = _index([(digest_of(b"any"), 3)], OCI.manifest)
    for _ in range(DEEP):
        digest = hostile.add_manifest(repository, digest_of(body), body, OCI.index)
        body = _index([(digest, len(body))], OCI.index)
    hostile.add_manifest(repository, "latest", body, OCI.index)


def _cyclic(hostile: ScriptedRegistry, repository: str) -> None:
    """Answer, for the index's child, the index itself; only a registry that lies about a digest can."""
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
    """Return the bytes that the worker made go to a disk (proc(5), write_bytes)."""
    lines = Path(f"/proc/{worker.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
