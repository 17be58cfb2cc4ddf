"""The endpoints of an import: the worker's settings and the attempt's terms reach them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any, cast

import pytest

from deploy.local.images.synthetic import synthetic_image
from import_worker.engine.source import EngineImage
from import_worker.open_endpoints import EndpointOpener
from import_worker.settings import read_settings
from shared.db.import_states import ClaimedImport
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptTerms
from shared.oci.digest import Digest
from shared.planning.budget import PlanLimits
from shared.rate_limits.limits import Limits
from shared.registry.client import open_registries
from tests.faults.content.lies import place
from tests.import_worker.ends import Board
from tests.scripted.registry import ScriptedRegistry

LAYER = 50_000
NEEDED = {
    "DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c",
    "AMQP_URL": "amqp://a:b@127.0.0.1:1/",
    "TARGET_URL": "http://127.0.0.1:1",
    "API_URL": "http://127.0.0.1:1",
    "WORKER_TOKEN": "token",
    "ALLOWED_PRIVATE": "127.0.0.0/8",
    "DOCKER_HOST": "unix:///nowhere",
}


@pytest.fixture
async def source() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as registry:
        place(registry, "team/app", synthetic_image("limits", [1_000, LAYER]))
        yield registry


async def opener(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, host: str, **environment: str
) -> EndpointOpener:
    """Return an opener with the settings of this environment; its parts are connected to nothing but the source."""
    for name, value in {**NEEDED, "PLAIN_HTTP_HOSTS": f"{host},127.0.0.1:1", **environment}.items():
        monkeypatch.setenv(name, value)
    settings, nothing = read_settings(), cast("Any", None)
    return EndpointOpener(
        settings=settings,
        database=nothing,
        notifications=nothing,
        sources=await stack.enter_async_context(open_registries(settings.shared.source_network, Side.SOURCE)),
        targets=await stack.enter_async_context(open_registries(settings.shared.target_network, Side.TARGET)),
        management=nothing,
        limits=Limits(),
    )


class PinnedBoard(Board):
    """Takes the digest that is copied."""

    def pin(self, digest: Digest) -> None:
        self.pinned = digest


def claimed(source: str) -> ClaimedImport:
    return ClaimedImport(
        name="app", attempt=1, source=source, source_digest=None, platforms=(), repository="team/app", tag="1.0"
    )


@pytest.mark.parametrize("name", ["MAX_IMAGE_BYTES", "MAX_BLOB_BYTES"])
async def test_the_limits_of_the_environment_reach_the_plan(
    source: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The plan refuses the image before a byte of a layer is read."""
    async with AsyncExitStack() as stack:
        opening = await opener(stack, monkeypatch, source.host, **{name: str(LAYER - 1)})
        attempt = cast("Any", None)
        endpoints = opening.open(claimed(f"{source.host}/team/app:latest"), attempt, AttemptTerms())
        with pytest.raises(LongshoreError, match=rf"image_too_large.*{name}"):
            await endpoints.source.prepare(None, [], endpoints.admission, PinnedBoard())
        expected = {"MAX_IMAGE_BYTES": "image_bytes", "MAX_BLOB_BYTES": "blob_bytes"}
        limits = PlanLimits(**{expected[name]: LAYER - 1})
        # Of the referrers, too, and of an engine's layers while they stream.
        assert endpoints.limits == limits
        engine = opening.open(claimed("docker-daemon:app:1"), attempt, AttemptTerms()).source
        assert isinstance(engine, EngineImage)
        assert engine.limits == limits
    assert not source.requests("GET", ".*/blobs/.*")


async def test_the_paces_of_a_workers_imports_share_a_line(
    source: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the deadline of its own terms; an API of the last release sends none."""
    async with AsyncExitStack() as stack:
        opening = await opener(stack, monkeypatch, source.host)
        image, attempt = claimed(f"{source.host}/team/app:latest"), cast("Any", None)
        began = monotonic()
        first = opening.open(image, attempt, AttemptTerms(seconds_left=100.0)).pace
        second = opening.open(image, attempt, AttemptTerms()).pace
    assert first.line is second.line
    assert first.deadline is not None
    assert began + 100 <= first.deadline <= monotonic() + 100
    assert second.deadline is None
