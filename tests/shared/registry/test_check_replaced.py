"""The digest that a reference has is looked up right before each sending of a manifest's PUT."""

import asyncio

import pytest

from shared.errors.codes import Side
from shared.oci.digest import Digest
from shared.rate_limits.account import REQUESTS_AT_ONCE
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import manifest_of, push
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY

MANIFEST = manifest_of(b"config", b"layer")
OTHER = manifest_of(b"config", b"layer", b"layer")


class ForeignError(Exception):
    """The reference may not be replaced."""


async def test_each_sending_sees_what_the_one_before_has_stored(opened: Opener) -> None:
    """The answer to the first one is lost; the second look finds its manifest."""
    seen: list[Digest | None] = []
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        for content in (b"config", b"layer"):
            await push(there, content)
        await there.put_manifest("1", OTHER)
        registry.on("PUT", ".*/manifests/1", times=1).lose_answer()
        await there.put_manifest("1", MANIFEST, check_replaced=seen.append)
    assert seen == [OTHER.digest, MANIFEST.digest]


async def test_nothing_is_sent_once_the_check_has_raised(opened: Opener) -> None:
    """Its exception is raised unchanged; the hook before it has been awaited."""
    asked: list[str] = []

    async def before() -> None:
        asked.append("before")

    def check(_: Digest | None) -> None:
        raise ForeignError

    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        with pytest.raises(ForeignError):
            await there.put_manifest("1", MANIFEST, before=before, check_replaced=check)
        assert registry.requests("PUT") == []
        assert [request.method for request in registry.requests(path=".*/manifests/1")] == ["HEAD"]
    assert asked == ["before"]


async def test_a_look_needs_no_slot_beside_that_of_its_put(opened: Opener) -> None:
    """As many PUTs as there are slots hold all of them while each looks."""
    async with ScriptedRegistry() as registry:
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host).repository(REPOSITORY)
        for content in (b"config", b"layer"):
            await push(there, content)
        all_hold_a_slot = asyncio.Barrier(REQUESTS_AT_ONCE)

        async def before() -> None:
            await all_hold_a_slot.wait()

        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for number in range(REQUESTS_AT_ONCE):
                put = there.put_manifest(str(number), MANIFEST, before=before, check_replaced=lambda _: None)
                group.create_task(put)
