"""Imports from a source that lies, each for a tag that already has another image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.local.images.image import Image
from deploy.local.stack import synthetic_image
from shared.model.states import ImportState
from tests.faults.bench.imports import Accepted, Outcome, PushedImage
from tests.faults.bench.testbed import Testbed
from tests.faults.content.lies import LIES, place
from tests.faults.scripted_server import serving
from tests.scripted.registry import ScriptedRegistry

# The worker reads one layer as a whole and streams the other (import_worker/copying/blob.py, WHOLE_SIZE). Bytes.
LAYERS = (5_000, 1_500_000)
AT_ONCE = 6
# The worker retries downloads that end early, with growing pauses. Seconds.
TIMEOUT = 240.0


@dataclass(frozen=True, kw_only=True)
class LieOutcome:
    """The effects of a lie: how its import ended, and whether the tag has the wrong content.

    After a failed import the tag must have the old image. A lie may be harmless: a download that ends early is resumed,
    and bytes after the end of a layer are not read. Then the tag must have the complete new image.
    """

    name: str
    state: ImportState
    code: str | None
    wrong: bool


def lie(testbed: Testbed, names: Sequence[str]) -> list[LieOutcome]:
    """Import correct images, then lying ones for the same tags; the first failure of these is final."""
    with serving(ScriptedRegistry()) as source:
        testbed.allow(source.host)
        testbed.start(MAX_FAILURES="1", WORKER_SLOTS=str(AT_ONCE))
        for name in names:
            place(source, _repository(name), _image(testbed, name, version=1))
        before = _import_all(testbed, source, names, version=1)
        for name in names:
            LIES[name](place(source, _repository(name), _image(testbed, name, version=2)), testbed.rng)
        after = _import_all(testbed, source, names, version=2)
        testbed.stop_services()
    return [_outcome(testbed, name, before[name], after[name]) for name in names]


def _outcome(
    testbed: Testbed, name: str, before: tuple[Accepted, Outcome], after: tuple[Accepted, Outcome]
) -> LieOutcome:
    end = after[1]
    if before[1].state is not ImportState.READY:
        raise AssertionError(f"{name}: the good image was not imported: {before[1]}")
    image = (after if end.state is ImportState.READY else before)[0].pushed
    return LieOutcome(name=name, state=end.state, code=end.code, wrong=not testbed.serves(end, image.digest))


def _repository(name: str) -> str:
    return "lies/" + "-".join(name.replace(":", "").replace(",", "").split())


def _image(testbed: Testbed, name: str, *, version: int) -> Image:
    return synthetic_image(f"{testbed.seed} {name} {version}", LAYERS, platforms=("linux/amd64",))


def _import_all(
    testbed: Testbed, source: ScriptedRegistry, names: Sequence[str], *, version: int
) -> Mapping[str, tuple[Accepted, Outcome]]:
    """Request all imports and wait for their end; return accepted imports and outcomes by name."""

    def ask(name: str) -> Accepted:
        repository, image = _repository(name), _image(testbed, name, version=version)
        pushed = PushedImage(reference=f"{source.host}/{repository}:latest", repository=repository, image=image)
        return testbed.accept(pushed, force=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        accepted = dict(zip(names, pool.map(ask, names), strict=True))
    ends = {outcome.name: outcome for outcome in testbed.wait_final(TIMEOUT)}
    return {name: (one, ends[one.name]) for name, one in accepted.items()}
