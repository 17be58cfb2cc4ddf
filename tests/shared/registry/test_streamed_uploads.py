"""Uploads whose size and digest are known at the end: PATCH without a length, then the committing PUT."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.registry.repository import Repository
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, noise, pieces, read
from tests.shared.fixtures import Opener

CONTENT = noise(300_000, 11)
BLOB = described(CONTENT)
UPLOADS = "/v2/team/app/blobs/uploads/"
SESSION = "/v2/team/app/blobs/uploads/1"
NEXT = "/v2/team/app/blobs/uploads/2"
STARTED = Answer(status=202, headers={"Location": f"{SESSION}?_state=a%2Fb"})


async def target(opened: Opener, server: RegistryServer | HostileRegistry, name: str = "team/app") -> Repository:
    registries = await opened.loopback(server.host, side=Side.TARGET)
    return registries.registry(server.host).repository(name)


async def stream(there: Repository, content: bytes, digest: Digest | None = None) -> None:
    session = await there.stream_upload(await there.start_upload(), pieces(content))
    await there.commit_upload(session, digest or Digest.of(content))


@pytest.mark.parametrize("content", [CONTENT, b""], ids=["some", "empty"])
async def test_a_streamed_blob_is_there(
    opened: Opener, target_registry: RegistryServer, repository: str, content: bytes
) -> None:
    """Spec end-4a, end-5 and end-6, with an unknown size and digest."""
    there = await target(opened, target_registry, repository)
    await stream(there, content)
    assert await read(there, described(content)) == content


async def test_the_stream_has_no_length_and_follows_the_location(opened: Opener, hostile: HostileRegistry) -> None:
    """The blob is committed at the address in the answer to the PATCH, including its query."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=202, headers={"Location": f"{NEXT}?_state=c%3D"}))
    hostile.on("PUT", NEXT, Answer(status=201))
    await stream(await target(opened, hostile), CONTENT)
    patch, put = hostile.requests("PATCH")[0], hostile.requests("PUT")[0]
    assert patch.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in patch.headers
    assert patch.query == "_state=a%2Fb"
    assert patch.body == CONTENT
    assert put.query == f"_state=c%3D&digest={BLOB.digest}"
    assert put.body == b""


async def test_a_wrong_digest_is_refused_by_the_registry(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """Streamed bytes become a blob only after the digest was compared."""
    there = await target(opened, target_registry, repository)
    with pytest.raises(LongshoreError):
        await stream(there, CONTENT, Digest.of(b"other"))
    assert not await there.has_blob(BLOB)


async def test_a_failing_source_comes_out_as_itself(opened: Opener, target_registry: RegistryServer) -> None:
    """The target's error about a broken body is only the consequence."""

    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT[:1000]
        raise LongshoreError(Code.SOURCE_UNAVAILABLE, "the source broke off")

    there = await target(opened, target_registry, "team/breaking")
    with pytest.raises(LongshoreError, match="the source broke off") as caught:
        await there.stream_upload(await there.start_upload(), breaking())
    assert caught.value.code == "source_unavailable"


async def test_an_early_answer_ends_a_stream_and_is_not_believed(opened: Opener, hostile: HostileRegistry) -> None:
    """A success before the end cannot be true; afterwards no task reads the chunks, which may be closed."""

    async def stopped() -> AsyncGenerator[bytes, None]:
        yield CONTENT[:1000]
        await asyncio.Event().wait()

    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=202, headers={"Location": SESSION}, early=True))
    there = await target(opened, hostile)
    session = await there.start_upload()
    async with aclosing(stopped()) as chunks:
        with pytest.raises(LongshoreError) as caught:
            await asyncio.wait_for(there.stream_upload(session, chunks), 10)
    assert caught.value.code == "target_protocol_error"


async def test_a_refused_stream_is_sent_once(opened: Opener, hostile: HostileRegistry) -> None:
    """A stream cannot be sent again; the registry's reason is reported."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, error(403, "DENIED", "over quota"))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError) as caught:
        await there.stream_upload(await there.start_upload(), pieces(CONTENT))
    assert caught.value.kind.side is Side.TARGET
    assert len(hostile.requests("PATCH")) == 1
