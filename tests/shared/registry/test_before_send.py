"""What is asked right before a manifest is sent, each time it is."""

import pytest

from shared.errors.codes import Side
from tests.scripted.connection import Ending
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import manifest_of, push
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY

MANIFEST = manifest_of(b"config", b"layer")


class TakenAwayError(Exception):
    """The leave is somebody else's by now."""


class Leave:
    """Given so many times, then refused; `asked` has the number of PUTs that the registry had seen each time."""

    def __init__(self, registry: ScriptedRegistry, given: int) -> None:
        self._registry = registry
        self._given = given
        self.asked: list[int] = []

    async def __call__(self) -> None:
        self.asked.append(len(self._registry.requests("PUT", ".*/manifests/1")))
        if len(self.asked) > self._given:
            raise TakenAwayError


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CLOSE])
async def test_leave_is_asked_each_time_a_manifest_is_sent(opened: Opener, ending: Ending) -> None:
    """Our own tries, and those that the HTTP client makes by itself where a connection ends."""
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        for content in (b"config", b"layer"):
            await push(there, content)
        registry.on("PUT", ".*/manifests/1", times=3).lose_answer(ending)
        leave = Leave(registry, given=10)
        await there.put_manifest("1", MANIFEST, before=leave)
        assert leave.asked == [0, 1, 2, 3]


async def test_without_leave_nothing_is_sent_again(opened: Opener) -> None:
    """What refuses it comes out as it is."""
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        registry.on("PUT", ".*/manifests/1").lose_answer()
        leave = Leave(registry, given=1)
        with pytest.raises(TakenAwayError):
            await there.put_manifest("1", MANIFEST, before=leave)
        assert leave.asked == [0, 1]
