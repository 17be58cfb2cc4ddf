"""The steps of a copy by name, and two workers whose every request to anybody can be met at its step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deploy.local.images.image import Image
from deploy.local.stack import Remote, Worker, synthetic_image
from tests.faults.bench.ground import Ground
from tests.faults.bench.wanted import Accepted, Wanted
from tests.faults.relay import Moment, Relay, Step, Trap
from tests.faults.serving import serving
from tests.faults.tags import digest_of_tag, is_whole

MIB = 1024 * 1024
# One layer is read as a whole and put, the other one is streamed (import_worker/copying/blob.py, WHOLE_SIZE). Bytes.
SMALL, LARGE = 20_000, 2 * MIB
TAG = "latest"
_MANIFEST, _BLOB, _UPLOAD = r"/v2/.*/manifests/sha256:.*", r"/v2/.*/blobs/sha256:.*", r"/v2/.*/blobs/uploads/[^/]+"
_TAG = rf"/v2/.*/manifests/{TAG}"
LOOK_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Whom a step asks, `source`, `target` or `api`, and what."""

    of: str
    step: Step


STEPS = {
    "manifest read": Spot(of="source", step=Step(method="GET", path=_MANIFEST)),
    "second manifest read": Spot(of="source", step=Step(method="GET", path=_MANIFEST, skip=1)),
    "config read": Spot(of="source", step=Step(method="GET", path=_BLOB)),
    "layer read": Spot(of="source", step=Step(method="GET", path=_BLOB, skip=2)),
    "blob looked for": Spot(of="target", step=Step(method="HEAD", path=_BLOB)),
    "upload begun": Spot(of="target", step=Step(method="POST", path=r"/v2/.*/blobs/uploads/")),
    "layer sent": Spot(of="target", step=Step(method="PATCH", path=_UPLOAD)),
    "blob committed": Spot(of="target", step=Step(method="PUT", path=_UPLOAD)),
    "last blob committed": Spot(of="target", step=Step(method="PUT", path=_UPLOAD, skip=2)),
    "child put": Spot(of="target", step=Step(method="PUT", path=_MANIFEST)),
    "leave asked": Spot(of="api", step=Step(method="PUT", path=".*/progress", body=b'"tagging"')),
    "tag looked at": Spot(of="target", step=Step(method="HEAD", path=_TAG)),
    "tag written": Spot(of="target", step=Step(method="PUT", path=_TAG)),
    "tag confirmed": Spot(of="target", step=Step(method="HEAD", path=_TAG, skip=1)),
    "ready told": Spot(of="api", step=Step(method="PUT", path=".*/progress", body=b'"ready"')),
}


class Stage:
    """An API, workers behind relays, and images whose tags move in the source.

    The API itself reaches the target directly: what a relay sees is a worker's.
    """

    def __init__(self, ground: Ground, relays: dict[str, Relay]) -> None:
        self.ground = ground
        self.relays = relays
        self._target = Remote.of(ground.target)
        self._pushed = 0

    def add_worker(self) -> Worker:
        """Start a worker with one slot: what happens to it happens to one import."""
        target = self.relays["target"].url
        return self.ground.add_worker(api=self.relays["api"].url, TARGET_URL=target, WORKER_SLOTS="1")

    def push(self, repository: str) -> Wanted:
        """Let the repository's tag in the source point to another image; no other has its blobs."""
        self._pushed += 1
        seed = f"{self.ground.amqp_url} {self._pushed}"
        image = synthetic_image(seed, [SMALL, LARGE], platforms=("linux/amd64",))
        Remote.of(self.ground.source).push(repository, TAG, image)
        return self._wanted(repository, image)

    def _wanted(self, repository: str, image: Image) -> Wanted:
        reference = f"{self.relays['source'].host}/{repository}:{TAG}"
        return Wanted(reference=reference, repository=repository, image=image)

    def trap(self, name: str, moment: Moment, do: Callable[[], object]) -> Trap:
        """Do something when a worker comes to a step."""
        spot = STEPS[name]
        return self.relays[spot.of].at(spot.step, moment, do)

    def holder(self, accepted: Accepted) -> Worker:
        """Return the worker that runs an import, or ran it last."""
        owner = self.ground.sql(
            f"SELECT owner FROM bench_history WHERE name = '{accepted.name}' AND owner IS NOT NULL"
            " ORDER BY id DESC LIMIT 1"
        )
        return next(worker for worker in self.ground.workers if worker.settings["WORKER_NAME"] == owner)

    def wait_state(self, accepted: Accepted, state: str, seconds: float) -> bool:
        """Wait until an import is in a state; False where it takes too long."""
        query = f"SELECT 1 FROM imports WHERE name = '{accepted.name}' AND state = '{state}'"
        return self.ground.wait_until(lambda: bool(self.ground.sql(query)), seconds)

    def tag(self, accepted: Accepted) -> str | None:
        """Return the digest that the image's tag in the target points to."""
        return digest_of_tag(self._target, self._repository(accepted), TAG)

    def whole(self, accepted: Accepted) -> bool:
        """Tell whether the target serves all that its tag leads to."""
        digest = self.tag(accepted)
        return digest is not None and is_whole(self._target, self._repository(accepted), digest)

    def _repository(self, accepted: Accepted) -> str:
        return self.ground.sql(f"SELECT repository FROM images WHERE id = {accepted.image_id}")

    def wait(self, condition: Callable[[], bool]) -> None:
        """Look again and again, more often than the ground does."""
        while not condition():
            time.sleep(LOOK_SECONDS)

    def said_of(self, worker: Worker, accepted: Accepted, words: str, seconds: float) -> bool:
        """Wait until a worker's log has a line about an import with these words."""
        assert worker.process
        log, limit = worker.process.log, time.monotonic() + seconds
        while not any(words in line and accepted.name in line for line in log.read_text().splitlines()):
            if time.monotonic() > limit:
                return False
            time.sleep(LOOK_SECONDS)
        return True


@contextmanager
def staged(ground: Ground, **settings: str) -> Iterator[Stage]:
    """Set the stage with an API of these settings, and no worker yet."""
    with ExitStack() as stack:
        relays = {"source": Relay(ground.source.port), "target": Relay(ground.target.port)}
        for relay in relays.values():
            ground.allow(stack.enter_context(serving(relay)).host)
        relays["api"] = stack.enter_context(serving(Relay(ground.add_api(**settings).port)))
        yield Stage(ground, relays)
