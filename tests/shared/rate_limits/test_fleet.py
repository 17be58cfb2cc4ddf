"""A limit that one process meets holds for all processes, through PostgreSQL alone."""

import asyncio

import pytest

from shared.db.database import Database
from shared.db.registry_limits import RegistryLimits
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.rate_limits.account import REQUESTS_AT_ONCE
from shared.rate_limits.limit import FIRST_PAUSE, Limit, LimitKey, Scope
from shared.rate_limits.limits import fingerprint
from shared.registry.client import Registry
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, manifest_of, read
from tests.shared.rate_limits.conftest import Fleet

MANIFEST = manifest_of(b"config")
BLOB = described(b"layer")
LIMITED = error(429, "TOOMANYREQUESTS", Retry_After="60")
PULLED = Answer(headers={"Content-Type": MANIFEST.media_type}, body=MANIFEST.content)
PATH = "/v2/a/manifests/1"
BLOB_PATH = f"/v2/a/blobs/{BLOB.digest}"
# Docker Hub's limit for anonymous access: one request is granted every 216 seconds.
HUB = {
    "ratelimit-limit": "100;w=21600",
    "Content-Type": MANIFEST.media_type,
    "Docker-Content-Digest": str(MANIFEST.digest),
}


def pulled(remaining: int) -> Answer:
    return Answer(headers={**HUB, "ratelimit-remaining": f"{remaining};w=21600"}, body=MANIFEST.content)


async def registry(fleet: Fleet, host: str, credential: Credential | None = None) -> Registry:
    """Open another process, and return its client for the registry."""
    return (await fleet.process()).registry(host, credential)


async def pull(there: Registry) -> None:
    await there.repository("a").get_manifest("1")


async def limited(there: Registry) -> float:
    """Request a manifest; the error must state the limit and its time."""
    with pytest.raises(LongshoreError) as caught:
        await pull(there)
    assert caught.value.code == "source_rate_limited"
    assert caught.value.retry_after
    return caught.value.retry_after


async def unwelcome(there: Registry) -> float:
    """Check whether an import may start; return the seconds for which it may not."""
    with pytest.raises(LongshoreError) as caught:
        await there.check_import_allowed()
    assert caught.value.kind.parks
    assert caught.value.retry_after
    return caught.value.retry_after


async def test_a_limit_that_one_meets_keeps_all_others_from_knocking(fleet: Fleet, hostile: HostileRegistry) -> None:
    """One request reaches the registry; five processes obey its limit, including those that start later."""
    hostile.on("GET", PATH, LIMITED)
    first, *others = [await registry(fleet, hostile.host) for _ in range(5)]
    waits = [await limited(first), *[await limited(there) for there in others]]
    waits.append(await limited(await registry(fleet, hostile.host)))
    assert waits == pytest.approx([60] * 6, abs=3)
    assert len(hostile.asked) == 1


async def test_a_burst_halves_the_share_once(fleet: Fleet, database: Database, hostile: HostileRegistry) -> None:
    """A hundred requests of five processes were running when the limit began."""
    hostile.on("GET", PATH, error(429, "TOOMANYREQUESTS"))
    there = [await registry(fleet, hostile.host) for _ in range(5)]
    await asyncio.gather(*(limited(each) for each in there for _ in range(20)))
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT scope, share FROM registry_limits")
    assert [(row["scope"], row["share"]) for row in rows] == [("manifests", 0.5)]


async def test_a_limit_is_one_accounts(fleet: Fleet, hostile: HostileRegistry) -> None:
    """Other accounts at that registry, and anonymous access, have separate limits."""
    hostile.on("GET", PATH, LIMITED, PULLED)
    me, you = Credential("me", "secret"), Credential("you", "secret")
    await limited(await registry(fleet, hostile.host, me))
    await limited(await registry(fleet, hostile.host, me))
    await pull(await registry(fleet, hostile.host, you))
    await pull(await registry(fleet, hostile.host))
    assert len(hostile.asked) == 3


async def test_no_name_and_no_secret_is_stored(fleet: Fleet, database: Database, hostile: HostileRegistry) -> None:
    hostile.on("GET", PATH, LIMITED)
    await limited(await registry(fleet, hostile.host, Credential("robot-name", "robot-secret")))
    async with database.connection() as connection:
        stored = str([dict(row) for row in await connection.fetch("SELECT * FROM registry_limits")])
    assert hostile.host in stored
    assert "robot" not in stored


async def test_a_limit_on_manifests_lets_blobs_through(fleet: Fleet, hostile: HostileRegistry) -> None:
    """Docker Hub meters nothing else; a running import still gets its blobs."""
    hostile.on("GET", PATH, LIMITED)
    hostile.on("GET", BLOB_PATH, Answer(body=b"layer"))
    there = await registry(fleet, hostile.host)
    await limited(there)
    assert await read(there.repository("a"), BLOB) == b"layer"
    assert await unwelcome(there) == pytest.approx(60, abs=3)


async def test_a_limit_on_blobs_holds_everything(fleet: Fleet, hostile: HostileRegistry) -> None:
    hostile.on("GET", BLOB_PATH, LIMITED)
    there = await registry(fleet, hostile.host)
    with pytest.raises(LongshoreError):
        await read(there.repository("a"), BLOB)
    await limited(there)
    await limited(await registry(fleet, hostile.host))
    assert len(hostile.asked) == 1


async def test_a_limited_target_is_left_alone_too(fleet: Fleet, hostile: HostileRegistry) -> None:
    """The target has its own error code, and the same rules."""
    hostile.on("POST", "/v2/a/blobs/uploads/", LIMITED)
    for _ in range(2):
        there = (await fleet.process(side=Side.TARGET)).registry(hostile.host)
        with pytest.raises(LongshoreError) as caught:
            await there.repository("a").start_upload()
        assert caught.value.code == "target_rate_limited"
    assert len(hostile.asked) == 1


async def test_a_short_limit_is_waited_for_by_all(fleet: Fleet, hostile: HostileRegistry) -> None:
    """A second is not worth parking; no process sends a request before it is over."""
    hostile.on("GET", PATH, error(429, "TOOMANYREQUESTS", Retry_After="1"), PULLED)
    there = [await registry(fleet, hostile.host) for _ in range(3)]
    first = asyncio.create_task(pull(there[0]))
    await asyncio.sleep(0.2)
    assert len(hostile.asked) == 1
    started = asyncio.get_running_loop().time()
    await asyncio.gather(first, pull(there[1]), pull(there[2]))
    assert asyncio.get_running_loop().time() - started > 0.7
    assert len(hostile.asked) == 4


async def test_little_left_moves_the_next_imports_and_stops_none(fleet: Fleet, hostile: HostileRegistry) -> None:
    """Below the reserve, each counted request delays the next import by the time in which one request is granted."""
    hostile.on("GET", PATH, pulled(50), pulled(9), pulled(8), pulled(7))
    one, other = await registry(fleet, hostile.host), await registry(fleet, hostile.host)
    await pull(one)
    await one.check_import_allowed()
    await pull(one)
    assert await unwelcome(one) == pytest.approx(216, abs=3)
    # These two were running already: they succeed, and count.
    await pull(one)
    await pull(other)
    assert await unwelcome(await registry(fleet, hostile.host)) == pytest.approx(3 * 216, abs=3)


async def test_nothing_left_is_seen_without_being_counted(fleet: Fleet, hostile: HostileRegistry) -> None:
    """HEAD is free at Docker Hub, and has the headers; reading that little is left is no reason to wait."""
    hostile.on("HEAD", PATH, pulled(1), pulled(0), pulled(0))
    there = await registry(fleet, hostile.host)
    await there.repository("a").head_manifest("1")
    await there.check_import_allowed()
    for _ in range(2):
        await there.repository("a").head_manifest("1")
        assert await unwelcome(there) == pytest.approx(216, abs=3)


async def test_what_a_storage_says_is_not_about_the_registry(fleet: Fleet, hostile: HostileRegistry) -> None:
    """A redirect leads to another server with its own limits."""
    async with HostileRegistry() as storage:
        fleet.hosts.append(storage.host)
        hostile.on("GET", BLOB_PATH, Answer(status=307, headers={"Location": f"{storage.url}/blob"}))
        spent = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "600"}
        storage.on("GET", "/blob", Answer(headers=spent, body=b"layer"))
        there = await registry(fleet, hostile.host)
        assert await read(there.repository("a"), BLOB) == b"layer"
        await there.check_import_allowed()


async def test_without_the_database_each_goes_by_what_it_meets(
    fleet: Fleet, database: Database, hostile: HostileRegistry
) -> None:
    """Its absence costs a few rejected requests, never a request that could be made."""
    hostile.on("GET", PATH, LIMITED)
    one, other = await registry(fleet, hostile.host), await registry(fleet, hostile.host)
    await database.close()
    started = asyncio.get_running_loop().time()
    for _ in range(3):
        await limited(one)
        await limited(other)
    assert len(hostile.asked) == 2
    assert asyncio.get_running_loop().time() - started < 5


async def test_the_clock_is_the_databases(fleet: Fleet, database: Database, hostile: HostileRegistry) -> None:
    """A limit that has ended by the database's clock has ended for all processes, except those that met it."""
    hostile.on("GET", PATH, LIMITED, PULLED)
    await limited(await registry(fleet, hostile.host))
    async with database.connection() as connection:
        await connection.execute("UPDATE registry_limits SET resumes_at = now() - interval '1 second'")
    await pull(await registry(fleet, hostile.host))


async def test_limits_met_again_and_again_are_waited_for_longer(database: Database) -> None:
    """The second process continues from the first one's state."""
    key = LimitKey(host="registry", account="", scope=Scope.REQUESTS)
    pauses = []
    for _ in range(3):
        limit = await RegistryLimits(database).change(key, lambda stored: stored.on_rate_limited(0.0, None))
        pauses.append(limit.resumes_at)
        async with database.connection() as connection:
            await connection.execute("UPDATE registry_limits SET resumes_at = now()")
    assert pauses == pytest.approx([FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4], rel=0.05)


async def test_changes_at_once_are_made_one_after_the_other(database: Database) -> None:
    """No change is lost, even if the row does not exist yet."""
    key = LimitKey(host="registry", account=fingerprint("registry", Credential("me", "x")), scope=Scope.IMPORTS)
    store = RegistryLimits(database)

    def push(stored: Limit) -> Limit:
        return stored.delay_by(0.0, 10.0, 1000.0)

    await asyncio.gather(*(store.change(key, push) for _ in range(20)))
    assert (await store.read())[key].resumes_at == pytest.approx(200, abs=2)


async def test_limits_that_ended_long_ago_are_dropped(database: Database) -> None:
    """The table stays as small as the number of registries in use."""
    store = RegistryLimits(database)
    old, new = (LimitKey(host=host, account="", scope=Scope.REQUESTS) for host in ("old", "new"))
    await store.change(old, lambda stored: stored.on_rate_limited(0.0, None))
    async with database.connection() as connection:
        await connection.execute("UPDATE registry_limits SET resumes_at = now() - interval '2 days'")
    await store.change(new, lambda stored: stored.on_rate_limited(0.0, None))
    async with database.connection() as connection:
        hosts = [row["host"] for row in await connection.fetch("SELECT host FROM registry_limits")]
    assert hosts == ["new"]
    assert list(await store.read()) == [new]


async def test_after_a_limit_less_is_asked_at_a_time(fleet: Fleet, hostile: HostileRegistry) -> None:
    """Half as many concurrent small requests of this account, and half as many streams."""
    hostile.on("GET", PATH, error(429, "TOOMANYREQUESTS", Retry_After="1"))
    there = await registry(fleet, hostile.host)
    (request,) = there.limits.request.lanes
    host, account = there.limits.stream_lanes(16)
    assert (request.capacity(), host.capacity(), account.capacity()) == (REQUESTS_AT_ONCE, 16, 16)
    with pytest.raises(LongshoreError):
        await pull(there)
    assert host.capacity() == 16
    assert request.capacity() < REQUESTS_AT_ONCE / 2 + 1
    assert account.capacity() < 16 / 2 + 1
