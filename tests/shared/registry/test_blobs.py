"""Reading blobs: in chunks, from any offset, and never a byte too many."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.scripted.received_request import ReceivedRequest
from tests.shared.content import described, noise, push, read
from tests.shared.fixtures import Opener

CONTENT = noise(300_000)
BLOB = described(CONTENT)
PATH = f"/v2/team/app/blobs/{BLOB.digest}"
WHOLE = Answer(body=CONTENT)
CHUNKED = {"Transfer-Encoding": "chunked"}


def ranged(asked: ReceivedRequest) -> Answer:
    """Respond to a closed Range according to RFC 9110."""
    first, last = asked.headers["range"].removeprefix("bytes=").split("-")
    part = CONTENT[int(first) : int(last) + 1]
    return Answer(status=206, headers={"Content-Range": f"bytes {first}-{last}/{BLOB.size}"}, body=part)


@pytest.mark.parametrize("offset", [0, 1, 299_999])
async def test_a_blob_is_read_from_any_offset(
    opened: Opener, target_registry: RegistryServer, repository: str, offset: int
) -> None:
    """Spec end-2, with a closed Range."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    blob = await push(there, CONTENT)
    assert await read(there, blob, offset) == CONTENT[offset:]


async def test_an_empty_blob_is_read(opened: Opener, target_registry: RegistryServer, repository: str) -> None:
    """A blob may have no bytes."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    assert await read(there, await push(there, b"")) == b""


async def test_at_the_blobs_end_nothing_is_asked(opened: Opener, hostile: HostileRegistry) -> None:
    """docker-registry 2.8 responds to a Range that starts there with a truncated body."""
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB, BLOB.size) == b""
    assert hostile.asked == []


async def test_the_range_is_closed(opened: Opener, hostile: HostileRegistry) -> None:
    """Some registries reject an open one."""
    hostile.on("GET", PATH, ranged)
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB, 1000) == CONTENT[1000:]
    assert hostile.asked[0].headers["range"] == f"bytes=1000-{BLOB.size - 1}"


async def test_a_registry_that_ignores_the_range_is_read_past_it(opened: Opener, hostile: HostileRegistry) -> None:
    """A 200 has the whole blob: its beginning is discarded, and the running upload continues."""
    hostile.on("GET", PATH, WHOLE)
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB, 123_456) == CONTENT[123_456:]


async def test_what_is_read_past_may_come_in_many_pieces(opened: Opener, hostile: HostileRegistry) -> None:
    """The result does not depend on how the network splits the blob."""
    parts = [CONTENT[start : start + 50_000] for start in range(0, BLOB.size, 50_000)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    hostile.on("GET", PATH, Answer(headers=CHUNKED, length=None, body=body))
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    for offset in (49_999, 50_000, 123_456):
        assert await read(there, BLOB, offset) == CONTENT[offset:]


@pytest.mark.parametrize(
    "stated",
    ["", "bytes 0-299999/300000", "bytes 1001-299999/300000", "bytes 1000-299999/300001", "bytes */300000", "1000-"],
)
async def test_another_range_than_the_one_asked_for_is_an_error(
    opened: Opener, hostile: HostileRegistry, stated: str
) -> None:
    """Appending bytes from elsewhere in the blob would only be noticed at its end."""
    headers = {"Content-Range": stated} if stated else {}
    hostile.on("GET", PATH, Answer(status=206, headers=headers, body=CONTENT[1000:]))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB, 1000)
    assert caught.value.code == "source_unavailable"
    assert "range" in caught.value.detail


async def test_a_range_of_unknown_total_is_taken(opened: Opener, hostile: HostileRegistry) -> None:
    """RFC 9110, section 14.4: the complete length may be `*`."""
    headers = {"Content-Range": f"bytes 1000-{BLOB.size - 1}/*"}
    hostile.on("GET", PATH, Answer(status=206, headers=headers, body=CONTENT[1000:]))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB, 1000) == CONTENT[1000:]


async def test_an_unrequested_part_is_an_error(opened: Opener, hostile: HostileRegistry) -> None:
    """A 206 without a Range in the request is not the blob."""
    headers = {"Content-Range": f"bytes 0-{BLOB.size - 1}/{BLOB.size}"}
    hostile.on("GET", PATH, Answer(status=206, headers=headers, body=CONTENT))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code == "source_unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=CONTENT[:-1]),
        Answer(body=CONTENT[:1000], length=BLOB.size, close=True),
        Answer(body=CONTENT[:1000], length=BLOB.size, reset=True),
        Answer(body=CONTENT[:1000], length=None, close=True),
        Answer(status=416),
        Answer(status=500),
        Answer(
            headers={"Transfer-Encoding": "chunked"}, length=None, body=b"3e8\r\n" + CONTENT[:1000] + b"\r\n0\r\n\r\n"
        ),
    ],
    ids=["announced short", "cut", "reset", "short without length", "416", "500", "chunked short"],
)
async def test_a_blob_that_ends_too_early_may_be_tried_again(
    opened: Opener, hostile: HostileRegistry, answer: Answer
) -> None:
    """Another connection may succeed."""
    hostile.on("GET", PATH, answer)
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code in {"source_unavailable", "source_unreachable"}
    assert caught.value.kind.retryable
    assert str(BLOB.digest) in caught.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=CONTENT + b"!"),
        Answer(body=CONTENT + b"!", length=None, close=True),
        Answer(length=None, endless=True),
    ],
    ids=["announced", "without length", "endless"],
)
async def test_a_blob_longer_than_its_descriptor_never_hands_out_more(
    opened: Opener, hostile: HostileRegistry, answer: Answer
) -> None:
    """Its bytes cannot have the digest; a retry would not change that."""
    hostile.on("GET", PATH, answer)
    registries = await opened.loopback(hostile.host)
    got = 0
    with pytest.raises(LongshoreError) as caught:  # noqa: PT012 - what came before the error counts
        async with registries.registry(hostile.host).repository("team/app").open_blob(BLOB) as chunks:
            async for chunk in chunks:
                got += len(chunk)
    assert caught.value.code == "blob_digest_mismatch"
    assert got <= BLOB.size


async def test_chunks_come_before_the_blob_is_whole(opened: Opener, hostile: HostileRegistry) -> None:
    """Memory holds the bytes that have arrived and were not read, never a layer."""
    hostile.on("GET", PATH, Answer(body=CONTENT[:100_000], length=BLOB.size, hang=True))
    registries = await opened.loopback(hostile.host)
    got = b""
    async with registries.registry(hostile.host).repository("team/app").open_blob(BLOB) as chunks:
        while len(got) < 100_000:
            got += await anext(chunks)
    assert got == CONTENT[:100_000]


async def test_a_half_read_blob_does_not_spoil_the_next_request(opened: Opener, hostile: HostileRegistry) -> None:
    """The rest of an abandoned response must not be taken for the response to another request."""
    big = described(noise(5_000_000))
    hostile.on("GET", f"/v2/team/app/blobs/{big.digest}", Answer(body=noise(5_000_000)))
    hostile.on("HEAD", PATH, WHOLE)
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    async with there.open_blob(big) as chunks:
        await anext(chunks)
    assert await there.has_blob(BLOB)
    assert hostile.connections == 2


async def test_a_connection_serves_one_request_after_another(opened: Opener, hostile: HostileRegistry) -> None:
    """Handshakes cost more than small requests: a complete response keeps the connection, errors included."""
    hostile.on("GET", PATH, WHOLE)
    hostile.on("HEAD", PATH, error(404, "BLOB_UNKNOWN"))
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    for _ in range(3):
        assert await read(there, BLOB) == CONTENT
        assert not await there.has_blob(BLOB)
    assert hostile.connections == 1


async def test_compressed_content_is_handed_on_as_it_is(opened: Opener, hostile: HostileRegistry) -> None:
    """A digest covers the bytes on the wire: the client requests no compression, and decompresses nothing."""
    hostile.on("GET", PATH, Answer(headers={"Content-Encoding": "gzip"}, body=CONTENT))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB) == CONTENT
    assert hostile.asked[0].headers["accept-encoding"] == "identity"


async def test_a_blob_is_there_or_not(opened: Opener, target_registry: RegistryServer, repository: str) -> None:
    """Spec end-2, HEAD."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    assert not await there.has_blob(BLOB)
    await push(there, CONTENT)
    assert await there.has_blob(BLOB)
    assert not await there.has_blob(described(b"another"))


@pytest.mark.parametrize(("length", "there"), [(BLOB.size, True), (None, True), (BLOB.size - 1, False), (0, False)])
async def test_a_blob_of_another_size_does_not_count(
    opened: Opener, hostile: HostileRegistry, length: int | None, there: bool
) -> None:
    """A registry without a stated size is believed; one with another size holds another blob."""
    hostile.on("HEAD", PATH, Answer(length=length))
    registries = await opened.loopback(hostile.host)
    assert await registries.registry(hostile.host).repository("team/app").has_blob(BLOB) is there


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        (Answer(headers={"Content-Length": str(BLOB.size)}), True),
        (Answer(headers={"Content-Length": str(BLOB.size + 1)}), False),
        (Answer(headers=CHUNKED, length=None), False),
        (Answer(status=404), False),
    ],
    ids=["size", "other-size", "no-size", "missing"],
)
async def test_a_blob_is_confirmed_only_with_its_size(
    opened: Opener, hostile: HostileRegistry, answer: Answer, *, confirmed: bool
) -> None:
    """The confirmation is a proof (decision 0042), so that an answer without a size is none."""
    hostile.on("HEAD", PATH, answer)
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    assert await there.confirms_blob(BLOB) is confirmed


@pytest.mark.parametrize(("side", "code"), [(Side.SOURCE, "blob_not_found"), (Side.TARGET, "target_blob_unknown")])
async def test_a_missing_blob_has_its_own_code(
    opened: Opener, target_registry: RegistryServer, repository: str, side: Side, code: str
) -> None:
    """A missing layer is not a missing image."""
    registries = await opened.loopback(target_registry.host, side=side)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(target_registry.host).repository(repository), BLOB)
    assert caught.value.code == code


async def test_opening_is_tried_again_but_never_after_the_first_byte(opened: Opener, hostile: HostileRegistry) -> None:
    """A retry below the caller would yield the blob's beginning twice."""
    cut = Answer(body=CONTENT[:1000], length=BLOB.size, close=True)
    hostile.on("GET", PATH, error(503, "UNAVAILABLE"), cut, WHOLE)
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    with pytest.raises(LongshoreError):
        await read(there, BLOB)
    assert len(hostile.asked) == 2
    assert await read(there, BLOB) == CONTENT


async def test_a_small_request_does_not_wait_behind_layers(opened: Opener, hostile: HostileRegistry) -> None:
    """There are enough connections, so that forty downloads do not delay a small request."""
    hostile.on("GET", PATH, Answer(body=CONTENT[:1000], length=BLOB.size, hang=True))
    hostile.on("HEAD", PATH, WHOLE)
    registries = await opened.loopback(hostile.host)
    there = registries.registry(hostile.host).repository("team/app")
    async with AsyncExitStack() as stack:
        for _ in range(40):
            await stack.enter_async_context(there.open_blob(BLOB))
        assert await asyncio.wait_for(there.has_blob(BLOB), 10)


async def test_many_blobs_at_once_stay_apart(opened: Opener, target_registry: RegistryServer, repository: str) -> None:
    """Each download has a separate connection while it lasts."""
    registries = await opened.loopback(target_registry.host, side=Side.TARGET)
    there = registries.registry(target_registry.host).repository(repository)
    contents = [noise(200_000, seed) for seed in range(8)]
    blobs = await asyncio.gather(*(push(there, content) for content in contents))
    read_back = await asyncio.gather(*(read(there, blob) for blob in blobs))
    assert [Digest.of(content) for content in read_back] == [blob.digest for blob in blobs]
