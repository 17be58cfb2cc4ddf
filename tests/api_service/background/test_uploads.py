"""Uploads that ended imports left at the target are cancelled there."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from api_service.background import uploads
from api_service.background.uploads import UploadCleaner
from shared.db.uploads import target_uploads
from shared.db.uploads.target_uploads import Backoff, LeftUpload
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.management import TargetManagement
from tests.api_service.api import Api

REGISTRY = "harbor"
END = "UPDATE imports SET state = $1, error_code = $2, lease_owner = NULL, lease_until = NULL"


@dataclass
class Target:
    """A target with uploads by address; an error is its answer for an upload. `asked` are the questions."""

    has: dict[str, Exception | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    beside: asyncio.Barrier | None = None

    async def discard_upload(self, repository: str, address: str) -> bool:
        assert repository == "imports/app"
        self.asked.append(address)
        if self.beside:
            await self.beside.wait()
        if address not in self.has:
            return True
        if error := self.has[address]:
            raise error
        del self.has[address]
        return False


@pytest.fixture
async def name(api: Api, image_source: str) -> str:
    """An import that a worker runs."""
    started = await api.start({"source": image_source})
    await api.claim(started["name"])
    return str(started["name"])


def cleaner(api: Api, target: Target) -> UploadCleaner:
    return UploadCleaner(api.database, cast("TargetManagement", target), registry=REGISTRY)


async def add(api: Api, name: str, *addresses: str, registry: str = REGISTRY) -> None:
    """Record uploads as a worker does."""
    opened = [LeftUpload(repository="imports/app", address=address) for address in addresses]
    async with api.database.connection() as connection:
        await target_uploads.add(connection, registry, opened, import_name=name)


async def cancel(api: Api) -> None:
    assert (await api.call("POST", "/api/v1/images/1/importing:cancel")).status == 200


async def left(api: Api) -> int:
    number: int = await api.value("SELECT count(*) FROM target_uploads")
    return number


async def make_due(api: Api) -> None:
    await api.execute("UPDATE target_uploads SET due_at = now()")


async def test_uploads_of_an_ended_import_are_cancelled_and_then_forgotten(api: Api, name: str) -> None:
    """A row goes when the target says that it has no such upload; a late request may have written once more."""
    target = Target(has={"a": None, "b": None})
    await add(api, name, "a", "b")
    await cancel(api)
    await cleaner(api, target).clean()
    assert target.has == {}
    assert await left(api) == 2
    await make_due(api)
    await cleaner(api, target).clean()
    assert await left(api) == 0


async def test_uploads_of_an_open_import_stay(api: Api, name: str) -> None:
    """Also while it waits: its next attempt continues them."""
    target = Target(has={"a": None})
    await add(api, name, "a")
    await cleaner(api, target).clean()
    await api.execute("UPDATE imports SET state = 'waiting', lease_owner = NULL, lease_until = NULL")
    await cleaner(api, target).clean()
    assert target.asked == []


@pytest.mark.parametrize("state", ["ready", "failed", "cancelled", "deleted"])
async def test_each_end_counts(api: Api, name: str, state: str) -> None:
    target = Target(has={"a": None})
    await add(api, name, "a")
    if state == "deleted":
        await api.execute("DELETE FROM images")
    else:
        await api.execute(END, state, "worker_lost" if state == "failed" else None)
    await cleaner(api, target).clean()
    assert target.asked == ["a"]


async def test_an_upload_that_another_import_continues_is_its_own(api: Api, name: str) -> None:
    """The worker that takes it over records it with its present address."""
    await add(api, "deleted-import", "a?state=1")
    await add(api, name, "a?state=2")
    target = Target()
    await cleaner(api, target).clean()
    assert target.asked == []
    await cancel(api)
    await cleaner(api, target).clean()
    assert target.asked == ["a?state=2"]


@pytest.mark.parametrize(
    "error",
    [
        LongshoreError(Code.TARGET_UNAVAILABLE, "503"),
        LongshoreError(Code.TARGET_DENIED, "401"),
        LongshoreError(Code.TARGET_PROTOCOL_ERROR, "404 without a code"),
        ValueError("'imports//app' is not a repository name"),
    ],
)
async def test_an_upload_that_cannot_be_cancelled_holds_up_no_other(api: Api, name: str, error: Exception) -> None:
    """It is tried again, ever more seldom, until the target answers."""
    target = Target(has={"bad": error, "good": None})
    await add(api, name, "bad", "good")
    await cancel(api)
    cleaning = cleaner(api, target)
    await cleaning.clean()
    assert list(target.has) == ["bad"]
    waits = []
    for _ in range(8):
        waits.append(await api.value("SELECT extract(epoch FROM max(due_at) - now())::float FROM target_uploads"))
        await make_due(api)
        await cleaning.clean()
    assert waits[0] == pytest.approx(10, abs=5)
    assert waits[1] == pytest.approx(20, abs=5)
    assert waits[-1] == pytest.approx(300, abs=5)
    target.has.clear()
    await make_due(api)
    await cleaning.clean()
    assert await left(api) == 0


async def test_an_upload_that_is_not_due_is_let_be(api: Api, name: str) -> None:
    target = Target(has={"a": LongshoreError(Code.TARGET_UNAVAILABLE, "503")})
    await add(api, name, "a")
    await cancel(api)
    for _ in range(3):
        await cleaner(api, target).clean()
    assert target.asked == ["a"]


async def test_uploads_at_another_target_are_let_be(api: Api, name: str) -> None:
    """After the operator has named another target: this one knows nothing about them."""
    target = Target()
    await add(api, name, "a", registry="the-last-target")
    await cancel(api)
    await cleaner(api, target).clean()
    assert target.asked == []


async def test_two_instances_share_the_uploads(api: Api, name: str) -> None:
    """Each upload is asked for once, although both clean at the same moment."""
    addresses = {str(number) for number in range(20)}
    target = Target(has=dict.fromkeys(addresses))
    await add(api, name, *addresses)
    await cancel(api)
    await asyncio.gather(*(cleaner(api, target).clean() for _ in range(2)))
    assert sorted(target.asked) == sorted(addresses)


async def test_one_instance_that_waits_for_the_target_stops_no_other(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds no lock meanwhile: both requests are under way at once, or the barrier is never passed."""
    monkeypatch.setattr(uploads, "BATCH", 1)
    target = Target(has={"a": None, "b": None}, beside=asyncio.Barrier(2))
    await add(api, name, "a", "b")
    await cancel(api)
    async with asyncio.timeout(60):
        await asyncio.gather(*(cleaner(api, target).clean() for _ in range(2)))
    assert sorted(target.asked) == ["a", "b"]


async def test_the_oldest_come_first_and_in_batches(api: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round is short: the next one begins five seconds later."""
    monkeypatch.setattr(uploads, "BATCH", 2)
    target = Target(has=dict.fromkeys("abcde"))
    for address in "abcde":
        await add(api, name, address)
    await cancel(api)
    await cleaner(api, target).clean()
    assert sorted(target.asked) == ["a", "b"]


async def test_many_tries_do_not_end_the_rounds(api: Api, name: str) -> None:
    """The time between two tries stays within its bound."""
    await add(api, name, "a")
    await cancel(api)
    await api.execute("UPDATE target_uploads SET tries = 1000000")
    async with api.database.connection() as connection:
        again = Backoff(first=10, most=300)
        assert len(await target_uploads.take_left(connection, REGISTRY, limit=10, again=again)) == 1
