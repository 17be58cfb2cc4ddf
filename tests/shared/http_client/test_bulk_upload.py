"""Bulk uploads: request bodies that a thread writes, early responses, and sessions that are continued."""

import asyncio
from http import HTTPStatus

import pytest
from yarl import URL

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.bulk.connection import ANSWER_CHECK_SECONDS
from shared.http_client.bulk.exchange import BulkRequest
from shared.http_client.session import open_outgoing
from shared.network.policy import NetworkPolicy
from shared.registry.repository import Repository
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.bulk_bodies import Bytes, Stopped
from tests.shared.content import noise
from tests.shared.fixtures import Opener
from tests.shared.http_client.bulk_blob import CONTENT, SESSION, STARTED, UPLOADS, there


@pytest.fixture
async def sessions(opened: Opener, hostile: HostileRegistry) -> Repository:
    hostile.on("POST", UPLOADS, STARTED)
    return await there(opened, hostile)


async def test_an_upload_announces_its_length_and_its_place(opened: Opener, hostile: HostileRegistry) -> None:
    """The first chunk has no Content-Range; later ones state their position in the specification's format."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, STARTED)
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    session = await repository.patch_upload(session, 0, Bytes(CONTENT[:1000]))
    await repository.patch_upload(session, 1000, Bytes(CONTENT[1000:]))
    first, second = hostile.requests("PATCH")
    assert first.body + second.body == CONTENT
    assert (first.headers["content-length"], second.headers["content-length"]) == ("1000", "2999000")
    assert "content-range" not in first.headers
    assert second.headers["content-range"] == "1000-2999999"
    assert first.query == "_state=a%2Fb%3D"
    assert first.headers["user-agent"].startswith("longshore/")


async def test_what_the_body_raises_comes_out_unchanged_and_commits_nothing(
    opened: Opener, target_registry: RegistryServer
) -> None:
    """The target's error about a broken body is only the consequence."""

    def fail() -> None:
        raise LongshoreError(Code.SOURCE_UNAVAILABLE, "the source broke off")

    repository = await there(opened, target_registry)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="the source broke off"):
        await repository.patch_upload(session, 0, Bytes(CONTENT[:-1], size=len(CONTENT), then=fail))
    assert await repository.get_upload(session) is None


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"!"], ids=["short", "long"])
async def test_a_body_of_another_size_is_an_error(
    opened: Opener, target_registry: RegistryServer, content: bytes
) -> None:
    """It is a defect in Longshore, and must not leave a registry with a request that never ends."""
    repository = await there(opened, target_registry)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="target_protocol_error"):
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(content, size=len(CONTENT))), 10)


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "open"])
async def test_an_early_refusal_counts(opened: Opener, hostile: HostileRegistry, hang: bool) -> None:
    """A server may respond before it has the body, whether it then closes the connection or stops reading."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=413, early=True, hang=hang))
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError) as caught:
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)
    assert caught.value.code == "target_refused"
    await repository.start_upload()


async def test_an_answer_that_may_have_no_body_is_not_waited_for(
    sessions: Repository, hostile: HostileRegistry
) -> None:
    """Regardless of the length that a 204 states (RFC 9112, section 6.3)."""
    head = f"HTTP/1.1 204 No Content\r\nLocation: {SESSION}\r\nContent-Length: 10\r\n\r\n"
    hostile.on("PATCH", SESSION, Answer(raw=head.encode()))
    session = await sessions.start_upload()
    await asyncio.wait_for(sessions.patch_upload(session, 0, Bytes(CONTENT)), 5)


async def test_success_before_the_body_was_sent_is_not_believed(opened: Opener, hostile: HostileRegistry) -> None:
    """A success cannot be true while bytes are unsent."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=202, headers={"Location": SESSION}, early=True, hang=True))
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="target_protocol_error"):
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)


async def test_a_slow_reader_is_waited_for() -> None:
    """A target that pauses longer than the interval of the check for an early response still receives everything."""
    content = noise(20_000_000)
    taken = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(2 * ANSWER_CHECK_SECONDS)
        taken.extend(await reader.readexactly(len(content)))
        writer.write(b"HTTP/1.1 202 Accepted\r\nLocation: /v2/next\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        slow = BulkRequest(method="PATCH", url=URL(f"http://{host}/v2/upload"), fields=(), body=Bytes(content))
        async with open_outgoing(NetworkPolicy.of(allowed_private=[host], plain_http=[host])) as outgoing:
            answer = await outgoing.bulk.request(slow)
            assert answer.status == HTTPStatus.ACCEPTED
            answer.release()
    assert taken == content


async def test_cancelling_ends_the_thread_first(opened: Opener, hostile: HostileRegistry) -> None:
    """When the caller continues, no thread reads its source."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, STARTED)
    repository, body = await there(opened, hostile), Stopped()
    upload = asyncio.create_task(repository.patch_upload(await repository.start_upload(), 0, body))
    await asyncio.to_thread(body.reached.wait)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert body.ended.is_set()


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-999"}), 1000),
        (Answer(status=204, headers={"Location": SESSION, "Range": "bytes=0-999"}), 1000),
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-0"}), None),
        (Answer(status=204, headers={"Location": SESSION, "Range": "5-999"}), None),
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-" + "9" * 30}), None),
        (Answer(status=204, headers={"Location": SESSION}), None),
        (Answer(status=204, headers={"Range": "0-999"}), None),
        (error(404, "BLOB_UPLOAD_UNKNOWN"), None),
        (error(500, "UNKNOWN"), None),
    ],
)
async def test_a_session_is_resumed_only_if_it_proves_itself(
    sessions: Repository, hostile: HostileRegistry, answer: Answer, taken: int | None
) -> None:
    """For any other response, the blob is sent again from its start."""
    hostile.on("GET", SESSION, answer)
    found = await sessions.get_upload(await sessions.start_upload())
    assert (found[1] if found else None) == taken


async def test_a_kept_address_is_judged_before_it_is_used(sessions: Repository, hostile: HostileRegistry) -> None:
    """It comes from the database, and may be older than the target's current address."""
    assert sessions.restore_session(f"{hostile.url}{SESSION}") is not None
    assert sessions.restore_session("http://other.example/upload") is None
    assert sessions.restore_session("no address") is None
