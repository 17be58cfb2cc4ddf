"""Uploads: sessions, the single PUT, mounts, and faults between two registries."""

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, noise, push, read
from tests.shared.fixtures import Opener

CONTENT = noise(300_000, 7)
BLOB = described(CONTENT)
UPLOADS = "/v2/team/app/blobs/uploads/"
SESSION = "/v2/team/app/blobs/uploads/1"
STARTED = Answer(status=202, headers={"Location": f"{SESSION}?_state=a%2Fb%3D&x=+%20"})


async def target(opened: Opener, server: RegistryServer | HostileRegistry, name: str = "team/app") -> Repository:
    registries = await opened.loopback(server.host, side=Side.TARGET)
    return registries.registry(server.host).repository(name)


async def test_an_uploaded_blob_is_there(opened: Opener, target_registry: RegistryServer, repository: str) -> None:
    """Spec end-4a and end-6."""
    there = await target(opened, target_registry, repository)
    session = await there.start_upload()
    await there.put_blob(session, BLOB, CONTENT)
    assert await read(there, BLOB) == CONTENT


@pytest.mark.parametrize("absolute", [True, False])
async def test_a_session_is_used_as_the_registry_gave_it(
    opened: Opener, hostile: HostileRegistry, absolute: bool
) -> None:
    """Location may be relative; its query is signed state and arrives byte for byte, with the digest after it."""
    location = f"{hostile.url if absolute else ''}{SESSION}?_state=a%2Fb%3D&x=+%20"
    hostile.on("POST", UPLOADS, Answer(status=202, headers={"Location": location}))
    hostile.on("PUT", SESSION, Answer(status=201))
    there = await target(opened, hostile)
    await there.put_blob(await there.start_upload(), BLOB, CONTENT)
    put = hostile.requests("PUT")[0]
    assert put.query == f"_state=a%2Fb%3D&x=+%20&digest={BLOB.digest}"
    assert put.body == CONTENT
    assert put.headers["content-length"] == str(BLOB.size)
    assert "transfer-encoding" not in put.headers
    assert put.headers["content-type"] == "application/octet-stream"


async def test_a_session_without_a_query_gets_one(opened: Opener, hostile: HostileRegistry) -> None:
    """The digest is the first parameter then."""
    hostile.on("POST", UPLOADS, Answer(status=202, headers={"Location": SESSION}))
    hostile.on("PUT", SESSION, Answer(status=201))
    there = await target(opened, hostile)
    await there.put_blob(await there.start_upload(), BLOB, CONTENT)
    assert hostile.requests("PUT")[0].query == f"digest={BLOB.digest}"


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example/upload",
        "//other.example/upload",
        "https://{host}/upload",
        "http://127.0.0.1:1/upload",
        "http://user:word@{host}/upload",
        "ftp://{host}/upload",
        "http://[::1",
        "",
    ],
)
async def test_a_session_elsewhere_is_refused(opened: Opener, hostile: HostileRegistry, location: str) -> None:
    """Layers and the authorization to write them must not be sent to another server."""
    headers = {"Location": location.format(host=hostile.host)} if location else {}
    hostile.on("POST", UPLOADS, Answer(status=202, headers=headers))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError) as caught:
        await there.start_upload()
    assert caught.value.code == "target_protocol_error"


async def test_a_session_of_another_registry_is_not_sent_to(opened: Opener, hostile: HostileRegistry) -> None:
    """A session may have been stored; it is checked again when it is used."""
    there = await target(opened, hostile)
    session = UploadSession("http://other.example/upload")
    with pytest.raises(ValueError, match="another registry"):
        await there.put_blob(session, BLOB, CONTENT)
    with pytest.raises(ValueError, match="another registry"):
        await there.cancel_upload(session)


async def test_wrong_bytes_of_the_right_size_are_refused_by_the_registry(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """The registry computes the digest, too; bytes that changed in transit are sent again."""
    there = await target(opened, target_registry, repository)
    with pytest.raises(LongshoreError) as caught:
        await there.put_blob(await there.start_upload(), BLOB, noise(BLOB.size, 8))
    assert caught.value.code == "target_unavailable"
    assert not await there.has_blob(BLOB)


@pytest.mark.parametrize("status", [200, 202, 204, 302, 307])
async def test_only_201_commits(opened: Opener, hostile: HostileRegistry, status: int) -> None:
    """Spec end-6; a redirect of a body is never followed, either."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PUT", SESSION, Answer(status=status, headers={"Location": "/elsewhere"}))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError) as caught:
        await push(there, CONTENT)
    assert caught.value.code == "target_protocol_error"
    assert hostile.requests("PUT", "/elsewhere") == []


async def test_a_body_is_sent_once(opened: Opener, hostile: HostileRegistry) -> None:
    """The import decides what to do next: the blob may exist although the response is an error."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PUT", SESSION, error(503, "UNAVAILABLE"))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError) as caught:
        await push(there, CONTENT)
    assert caught.value.code == "target_unavailable"
    assert len(hostile.requests("PUT")) == 1


async def test_an_upload_leaves_its_connection_in_use(opened: Opener, hostile: HostileRegistry) -> None:
    """A copy of many small layers must not pay a handshake for each."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PUT", SESSION, Answer(status=201))
    there = await target(opened, hostile)
    for seed in range(3):
        await push(there, noise(10_000, seed))
    assert hostile.connections == 1


async def test_a_refused_upload_does_not_spoil_the_next_request(opened: Opener, hostile: HostileRegistry) -> None:
    """The rest of a body must not be taken for a request."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PUT", SESSION, Answer(status=403, early=True, hang=True))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError):
        await push(there, noise(20_000_000))
    await there.start_upload()
    assert len({asked.connection for asked in hostile.asked}) == 2


async def test_a_cancelled_session_is_gone(opened: Opener, target_registry: RegistryServer, repository: str) -> None:
    """The registry keeps nothing of it; cancelling a lost session is no error."""
    there = await target(opened, target_registry, repository)
    session = await there.start_upload()
    await there.cancel_upload(session)
    with pytest.raises(LongshoreError) as caught:
        await there.put_blob(session, BLOB, CONTENT)
    assert caught.value.code == "target_unavailable"
    await there.cancel_upload(session)


async def test_a_blob_is_mounted_from_its_neighbour(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """Spec end-11: no bytes move."""
    await push(await target(opened, target_registry, f"{repository}/first"), CONTENT)
    second = await target(opened, target_registry, f"{repository}/second")
    assert await second.mount_blob(BLOB, f"{repository}/first") is None
    assert await second.has_blob(BLOB)


async def test_a_mount_that_becomes_an_upload_goes_on_in_its_session(
    opened: Opener, target_registry: RegistryServer, repository: str
) -> None:
    """A registry that cannot mount opens a session instead (202)."""
    second = await target(opened, target_registry, f"{repository}/second")
    session = await second.mount_blob(BLOB, f"{repository}/first")
    assert session is not None
    await second.put_blob(session, BLOB, CONTENT)
    assert await second.has_blob(BLOB)


async def test_the_mount_names_digest_and_neighbour(opened: Opener, hostile: HostileRegistry) -> None:
    """They are query parameters, encoded once."""
    hostile.on("POST", UPLOADS, Answer(status=201))
    there = await target(opened, hostile)
    assert await there.mount_blob(BLOB, "team/base") is None
    assert hostile.asked[0].query.replace("%3A", ":").replace("%2F", "/") == f"mount={BLOB.digest}&from=team/base"


@pytest.mark.parametrize(
    "answer",
    [
        error(401, "UNAUTHORIZED"),
        error(403, "DENIED"),
        error(404, "NAME_UNKNOWN"),
        error(405, "UNSUPPORTED"),
        error(500, "UNKNOWN"),
        Answer(status=202),
        Answer(status=202, headers={"Location": "http://other.example/upload"}),
        Answer(reset=True, raw=b""),
    ],
    ids=["401", "403", "404", "405", "500", "no location", "foreign location", "reset"],
)
async def test_any_other_answer_to_a_mount_becomes_a_fresh_upload(
    opened: Opener, hostile: HostileRegistry, answer: Answer
) -> None:
    """A mount only saves work; its failure must not cost the import anything."""
    hostile.on("POST", UPLOADS, answer, STARTED)
    there = await target(opened, hostile)
    session = await there.mount_blob(BLOB, "team/base")
    assert session is not None
    assert session.location.startswith(f"{hostile.url}{SESSION}")
    assert len(hostile.asked) == 2


async def test_a_rate_limit_at_a_mount_is_reported(opened: Opener, hostile: HostileRegistry) -> None:
    """The upload would meet the same limit, and make it worse."""
    hostile.on("POST", UPLOADS, error(429, "TOOMANYREQUESTS", Retry_After="90"))
    there = await target(opened, hostile)
    with pytest.raises(LongshoreError) as caught:
        await there.mount_blob(BLOB, "team/base")
    assert caught.value.code == "target_rate_limited"
    assert caught.value.retry_after == pytest.approx(90, abs=5)
    assert len(hostile.asked) == 1
