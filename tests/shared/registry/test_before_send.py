"""The hook that is awaited right before each time that a manifest is sent."""

import pytest

from shared.errors.codes import Side
from tests.scripted.connection import Ending
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import manifest_of, push
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY

MANIFEST = manifest_of(b"config", b"layer")


class ClaimLostError(Exception):
    """The import's claim has been taken over by another worker."""


class Fence:
    """Permits this number of sends, then raises; `calls` has the number of PUTs at the registry before each call."""

    def __init__(self, registry: ScriptedRegistry, permitted: int) -> None:
        self._registry = registry
        self._permitted = permitted
        self.calls: list[int] = []

    async def __call__(self) -> None:
        self.calls.append(len(self._registry.requests("PUT", ".*/manifests/1")))
        if len(self.calls) > self._permitted:
            raise ClaimLostError


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CLOSE])
async def test_the_hook_is_awaited_each_time_a_manifest_is_sent(opened: Opener, ending: Ending) -> None:
    """It is awaited before Longshore's own retries, and before those of the HTTP client after a lost connection."""
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        for content in (b"config", b"layer"):
            await push(there, content)
        registry.on("PUT", ".*/manifests/1", times=3).lose_answer(ending)
        fence = Fence(registry, permitted=10)
        await there.put_manifest("1", MANIFEST, before=fence)
        assert fence.calls == [0, 1, 2, 3]


async def test_after_the_hook_raises_nothing_is_sent_again(opened: Opener) -> None:
    """The hook's exception is raised unchanged."""
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        registry.on("PUT", ".*/manifests/1").lose_answer()
        fence = Fence(registry, permitted=1)
        with pytest.raises(ClaimLostError):
            await there.put_manifest("1", MANIFEST, before=fence)
        assert fence.calls == [0, 1]
