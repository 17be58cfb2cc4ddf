"""Responses are bounded: an endless body or head costs a bounded amount of memory, and ends in an error."""

import time
from collections.abc import Awaitable, Callable

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.registry.repository import Repository
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.tokens import TokenService
from tests.shared.content import described, noise, read
from tests.shared.fixtures import Opener
from tests.shared.moving import REPOSITORY, source_at
from tests.shared.traps import CREDENTIAL

LARGE = noise(1_500_000, 51)
# Seconds; far less than an exchange may take, far more than a busy machine needs for the heads here.
DEADLINE = 60
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
# Bytes; more than every limit and its read-ahead, far less than a server sends during a test.
FAIR = 16 * 1024 * 1024

Step = Callable[[Repository], Awaitable[object]]


async def manifest(there: Repository) -> object:
    return await there.get_manifest("1")


async def tags(there: Repository) -> object:
    return await there.list_tags()


async def referrers(there: Repository) -> object:
    return await there.list_referrers(described(b"").digest)


async def small_blob(there: Repository) -> object:
    return await read(there, described(b"layer"))


async def upload(there: Repository) -> object:
    return await there.start_upload()


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(
    ("step", "status", "media_type"),
    [
        (manifest, 200, OCI_INDEX),
        (tags, 200, "application/json"),
        (referrers, 200, OCI_INDEX),
        (small_blob, 200, "application/octet-stream"),
        (manifest, 404, "application/json"),
        (tags, 403, "application/json"),
        (small_blob, 500, "application/json"),
        (upload, 400, "application/json"),
        (upload, 202, "application/json"),
        (manifest, 401, "application/json"),
    ],
)
async def test_a_body_without_an_end_is_not_read_to_it(
    opened: Opener, step: Step, status: int, media_type: str, chunked: bool
) -> None:
    """This holds for a success and for an error: above the limit, the client closes the connection."""
    async with ScriptedRegistry() as registry:
        rule = registry.on(".*", "/v2/team/.*").answer(status, b"", {"Content-Type": media_type}).send_endlessly()
        if chunked:
            rule.send_chunked()
        there = (await opened.loopback(registry.host, side=Side.TARGET)).registry(registry.host, CREDENTIAL)
        started = time.monotonic()
        with pytest.raises(LongshoreError):
            await step(there.repository(REPOSITORY))
        assert time.monotonic() - started < DEADLINE
        assert max(registry.sent.values()) < FAIR


async def test_a_token_without_an_end_is_not_read_to_it(opened: Opener) -> None:
    """The same holds for a token service's response."""
    async with ScriptedRegistry(tokens=TokenService()) as registry:
        registry.on("GET", "/token").answer(200, b'{"token": "').send_endlessly()
        with pytest.raises(LongshoreError) as caught:
            await (await opened.loopback(registry.host)).registry(registry.host).ping()
        assert caught.value.code == "source_protocol_error"
        assert max(registry.sent.values()) < FAIR


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 2_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 200_000,
        b"HTTP/1.1 200 " + b"a" * 2_000_000,
        b"HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n" * 50_000,
    ],
    ids=["long field", "many fields", "long reason", "many interim answers"],
)
@pytest.mark.parametrize("bulk", [False, True], ids=["small", "large"])
async def test_a_head_without_an_end_is_not_read_to_it(opened: Opener, head: bytes, bulk: bool) -> None:
    """This holds for the connections of small requests and for those of large blobs."""
    async with ScriptedRegistry() as registry:
        registry.on("GET", ".*/blobs/.*").send_raw(head)
        registries = await opened.loopback(registry.host)
        started = time.monotonic()
        source = source_at(registries, registry.host)
        opening = source.download_blob(described(LARGE)) if bulk else source.open_blob(described(LARGE))
        with pytest.raises(LongshoreError) as caught:
            await opening.__aenter__()
        assert caught.value.code in {"source_protocol_error", "source_unreachable"}
        assert time.monotonic() - started < DEADLINE
