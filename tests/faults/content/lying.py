"""Imports from a source that lies, each under a tag that has another image already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.local.images.image import Image
from deploy.local.stack import synthetic_image
from shared.model.states import ImportState
from tests.faults.bench.ground import Ground
from tests.faults.bench.wanted import Accepted, Outcome, Wanted
from tests.faults.content.cast import dismiss
from tests.faults.content.lies import LIES, place
from tests.faults.serving import serving
from tests.scripted.registry import ScriptedRegistry

# One layer is read as a whole, the other one is streamed (import_worker/copying/blob.py, WHOLE_SIZE). Bytes.
LAYERS = (5_000, 1_500_000)
AT_ONCE = 6
# Downloads that end early are tried again, with growing pauses. Seconds.
PATIENCE = 240.0


@dataclass(frozen=True, kw_only=True)
class Lied:
    """What came of a lie: how its import ended, and whether the tag leads to what it should.

    That is the image that it had where the import failed. A lie may be harmless: a download that ends early is gone on
    with, and bytes behind a layer's end are not read. Then it is the new image, which must be whole.
    """

    name: str
    state: ImportState
    code: str | None
    wrong: bool


def lie(ground: Ground, names: Sequence[str]) -> list[Lied]:
    """Import good images, then lying ones under the same tags; the first failure of these is final."""
    with serving(ScriptedRegistry()) as source:
        ground.allow(source.host)
        ground.start(MAX_FAILURES="1", WORKER_SLOTS=str(AT_ONCE))
        for name in names:
            place(source, _repository(name), _image(ground, name, version=1))
        before = _import_all(ground, source, names, version=1)
        for name in names:
            LIES[name](place(source, _repository(name), _image(ground, name, version=2)), ground.rng)
        after = _import_all(ground, source, names, version=2)
        dismiss(ground)
    return [_judge(ground, name, before[name], after[name]) for name in names]


def _judge(ground: Ground, name: str, before: tuple[Accepted, Outcome], after: tuple[Accepted, Outcome]) -> Lied:
    end = after[1]
    if before[1].state is not ImportState.READY:
        raise AssertionError(f"{name}: the good image was not imported: {before[1]}")
    image = (after if end.state is ImportState.READY else before)[0].wanted
    return Lied(name=name, state=end.state, code=end.code, wrong=not ground.serves(end, image.digest))


def _repository(name: str) -> str:
    return "lies/" + "-".join(name.replace(":", "").replace(",", "").split())


def _image(ground: Ground, name: str, *, version: int) -> Image:
    return synthetic_image(f"{ground.seed} {name} {version}", LAYERS, platforms=("linux/amd64",))


def _import_all(
    ground: Ground, source: ScriptedRegistry, names: Sequence[str], *, version: int
) -> Mapping[str, tuple[Accepted, Outcome]]:
    """Ask for all and wait for their ends; return what was accepted and its outcome, by name."""

    def ask(name: str) -> Accepted:
        repository, image = _repository(name), _image(ground, name, version=version)
        wanted = Wanted(reference=f"{source.host}/{repository}:latest", repository=repository, image=image)
        return ground.accept(wanted, force=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        accepted = dict(zip(names, pool.map(ask, names), strict=True))
    ends = {outcome.name: outcome for outcome in ground.wait_final(PATIENCE)}
    return {name: (one, ends[one.name]) for name, one in accepted.items()}
