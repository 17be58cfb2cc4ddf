"""The steps of a copy by name, and workers whose every request passes a relay, which can act at a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deploy.local.images.image import Image
from deploy.local.stack import Remote, Worker, synthetic_image
from tests.faults.bench.imports import Accepted, PushedImage
from tests.faults.bench.testbed import Testbed
from tests.faults.relay import Moment, Relay, Step, Trap
from tests.faults.scripted_server import serving
from tests.faults.tag_content import digest_of_tag, is_whole

MIB = 1024 * 1024
# The worker reads one layer as a whole and streams the other (import_worker/copying/blob.py, WHOLE_SIZE). Bytes.
SMALL, LARGE = 20_000, 2 * MIB
TAG = "latest"
_MANIFEST, _BLOB, _UPLOAD = r"/v2/.*/manifests/sha256:.*", r"/v2/.*/blobs/sha256:.*", r"/v2/.*/blobs/uploads/[^/]+"
_TAG = rf"/v2/.*/manifests/{TAG}"
POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class StepAt:
    """The server of a step, `source`, `target` or `api`, and its request."""

    of: str
    step: Step


STEPS = {
    "manifest read": StepAt(of="source", step=Step(method="GET", path=_MANIFEST)),
    "second manifest read": StepAt(of="source", step=Step(method="GET", path=_MANIFEST, skip=1)),
    "config read": StepAt(of="source", step=Step(method="GET", path=_BLOB)),
    "layer read": StepAt(of="source", step=Step(method="GET", path=_BLOB, skip=2)),
    "blob checked": StepAt(of="target", step=Step(method="HEAD", path=_BLOB)),
    "upload begun": StepAt(of="target", step=Step(method="POST", path=r"/v2/.*/blobs/uploads/")),
    "layer sent": StepAt(of="target", step=Step(method="PATCH", path=_UPLOAD)),
    "blob committed": StepAt(of="target", step=Step(method="PUT", path=_UPLOAD)),
    "last blob committed": StepAt(of="target", step=Step(method="PUT", path=_UPLOAD, skip=2)),
    "child put": StepAt(of="target", step=Step(method="PUT", path=_MANIFEST)),
    "permission requested": StepAt(of="api", step=Step(method="PUT", path=".*/progress", body=b'"tagging"')),
    "tag checked": StepAt(of="target", step=Step(method="HEAD", path=_TAG)),
    "tag written": StepAt(of="target", step=Step(method="PUT", path=_TAG)),
    "tag confirmed": StepAt(of="target", step=Step(method="HEAD", path=_TAG, skip=1)),
    "ready reported": StepAt(of="api", step=Step(method="PUT", path=".*/progress", body=b'"ready"')),
}


class Stage:
    """An API, workers behind relays, and images whose tags move in the source.

    The API reaches the target directly: all requests at a relay are a worker's.
    """

    def __init__(self, testbed: Testbed, relays: dict[str, Relay]) -> None:
        self.testbed = testbed
        self.relays = relays
        self._target = Remote.of(testbed.target)
        self._pushed = 0

    def add_worker(self) -> Worker:
        """Start a worker with one slot, so that a fault affects one import."""
        target = self.relays["target"].url
        return self.testbed.add_worker(api=self.relays["api"].url, TARGET_URL=target, WORKER_SLOTS="1")

    def push(self, repository: str) -> PushedImage:
        """Point the repository's tag in the source to a new image, which shares no blobs."""
        self._pushed += 1
        seed = f"{self.testbed.amqp_url} {self._pushed}"
        image = synthetic_image(seed, [SMALL, LARGE], platforms=("linux/amd64",))
        Remote.of(self.testbed.source).push(repository, TAG, image)
        return self._pushed_image(repository, image)

    def _pushed_image(self, repository: str, image: Image) -> PushedImage:
        reference = f"{self.relays['source'].host}/{repository}:{TAG}"
        return PushedImage(reference=reference, repository=repository, image=image)

    def trap(self, name: str, moment: Moment, do: Callable[[], object]) -> Trap:
        """Run a function when a worker reaches a step."""
        step_at = STEPS[name]
        return self.relays[step_at.of].at(step_at.step, moment, do)

    def holder(self, accepted: Accepted) -> Worker:
        """Return the worker that runs an import or ran it last."""
        owner = self.testbed.sql(
            f"SELECT owner FROM bench_history WHERE name = '{accepted.name}' AND owner IS NOT NULL"
            " ORDER BY id DESC LIMIT 1"
        )
        return next(worker for worker in self.testbed.workers if worker.settings["WORKER_NAME"] == owner)

    def wait_state(self, accepted: Accepted, state: str, seconds: float) -> bool:
        """Wait until an import is in a state; returns False after `seconds`."""
        query = f"SELECT 1 FROM imports WHERE name = '{accepted.name}' AND state = '{state}'"
        return self.testbed.wait_until(lambda: bool(self.testbed.sql(query)), seconds)

    def tag(self, accepted: Accepted) -> str | None:
        """Return the digest of the image's tag in the target."""
        return digest_of_tag(self._target, self._repository(accepted), TAG)

    def whole(self, accepted: Accepted) -> bool:
        """Return whether the target has the complete content of the tag."""
        digest = self.tag(accepted)
        return digest is not None and is_whole(self._target, self._repository(accepted), digest)

    def _repository(self, accepted: Accepted) -> str:
        return self.testbed.sql(f"SELECT repository FROM images WHERE id = {accepted.image_id}")

    def wait(self, condition: Callable[[], bool]) -> None:
        """Poll a condition, more often than the testbed does."""
        while not condition():
            time.sleep(POLL_SECONDS)

    def logged_about(self, worker: Worker, accepted: Accepted, words: str, seconds: float) -> bool:
        """Wait until a worker's log has a line about the import with these words; returns False after `seconds`."""
        assert worker.process
        log, limit = worker.process.log, time.monotonic() + seconds
        while not any(words in line and accepted.name in line for line in log.read_text().splitlines()):
            if time.monotonic() > limit:
                return False
            time.sleep(POLL_SECONDS)
        return True


@contextmanager
def open_stage(testbed: Testbed, **settings: str) -> Iterator[Stage]:
    """Start the relays and an API with these settings, without workers."""
    with ExitStack() as stack:
        relays = {"source": Relay(testbed.source.port), "target": Relay(testbed.target.port)}
        for relay in relays.values():
            testbed.allow(stack.enter_context(serving(relay)).host)
        relays["api"] = stack.enter_context(serving(Relay(testbed.add_api(**settings).port)))
        yield Stage(testbed, relays)
