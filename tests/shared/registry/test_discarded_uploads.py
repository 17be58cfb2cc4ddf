"""Uploads that an earlier request opened are cancelled by the address that the registry gave then."""

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.registry.repository import Repository
from shared.registry.uploads import UploadSession
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.fixtures import Opener

UPLOADS = "/v2/team/app/blobs/uploads"
OLD, NEW = f"{UPLOADS}/1", f"{UPLOADS}/2"
UNKNOWN = error(404, "BLOB_UPLOAD_UNKNOWN")
# Addresses that the API must send no request to: another server, another repository, another kind of content.
FOREIGN = (
    "http://other.example/v2/team/app/blobs/uploads/1",
    "https://{host}/v2/team/app/blobs/uploads/1",
    "http://{host}/v2/team/app2/blobs/uploads/1",
    "http://{host}/v2/team/blobs/uploads/1",
    "http://{host}/v2/team/app/manifests/1.0",
    "http://{host}/v2/team/app/blobs/sha256:0",
    "http://{host}/v2/team/app/blobs/uploads/",
    "http://{host}/v2/team/app/blobs/uploads/..",
    "http://{host}/v2/team/app/blobs/uploads/../../manifests/1.0",
    "http://{host}/v2/team/app/blobs/uploads/%2e%2e%2fsha256:0",
    "http://{host}/elsewhere/v2/team/app/blobs/uploads/1",
    "http://[::1",
    "",
)


@pytest.fixture
async def there(opened: Opener, hostile: HostileRegistry) -> Repository:
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    return registries.registry(hostile.host).repository("team/app")


async def discard(there: Repository, hostile: HostileRegistry) -> bool:
    return await there.discard_upload(f"{hostile.url}{OLD}?_state=a%3D")


def deleted(hostile: HostileRegistry) -> list[str]:
    return [f"{asked.path}?{asked.query}" for asked in hostile.requests("DELETE")]


async def test_an_upload_is_cancelled_at_its_present_address(there: Repository, hostile: HostileRegistry) -> None:
    """The registry rejects the address from before the last bytes."""
    hostile.on("GET", OLD, Answer(status=204, headers={"Location": f"{NEW}?_state=b%3D", "Range": "0-9"}))
    hostile.on("DELETE", NEW, Answer(status=204))
    assert not await discard(there, hostile)
    assert deleted(hostile) == [f"{NEW}?_state=b%3D"]


async def test_an_upload_is_over_by_the_registrys_own_word(there: Repository, hostile: HostileRegistry) -> None:
    """A cancelled one is asked for once more, because a late request may have opened it again."""
    hostile.on("GET", OLD, Answer(status=204), UNKNOWN)
    hostile.on("DELETE", OLD, Answer(status=202))
    assert not await discard(there, hostile)
    assert await discard(there, hostile)
    assert deleted(hostile) == [f"{OLD}?_state=a%3D"]


async def test_an_outdated_address_is_used_nevertheless(there: Repository, hostile: HostileRegistry) -> None:
    """Distribution 2 knows no newer one either; it cancels such an upload with the error."""
    hostile.on("GET", OLD, error(404, "BLOB_UPLOAD_INVALID"), UNKNOWN)
    hostile.on("DELETE", OLD, error(404, "BLOB_UPLOAD_UNKNOWN"))
    assert not await discard(there, hostile)
    assert len(deleted(hostile)) == 1
    assert await discard(there, hostile)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=404), "target_protocol_error"),
        (Answer(status=404, body=b"<h1>default backend - 404</h1>"), "target_protocol_error"),
        (error(404, "NOT_FOUND"), "target_protocol_error"),
        (Answer(status=200, body=b"<h1>It works!</h1>"), "target_protocol_error"),
        (Answer(status=404, body=b'{"errors": [' + b" " * 70_000), "target_protocol_error"),
        (Answer(status=404, body=b"[" * 60_000), "target_protocol_error"),
        (error(503, "UNAVAILABLE"), "target_unavailable"),
        (error(401, "UNAUTHORIZED"), "target_denied"),
        (error(403, "DENIED"), "target_denied"),
        (error(429, "TOOMANYREQUESTS"), "target_rate_limited"),
        (Answer(close=True, raw=b""), "target_unreachable"),
    ],
)
async def test_no_other_answer_proves_anything(
    there: Repository, hostile: HostileRegistry, answer: Answer, code: str
) -> None:
    """An outage, a proxy without its registry, another server's page: the upload is looked at again later."""
    hostile.on("GET", OLD, answer)
    with pytest.raises(LongshoreError) as caught:
        await discard(there, hostile)
    assert caught.value.code == code
    assert deleted(hostile) == []


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_refused_cancellation_is_an_error(there: Repository, hostile: HostileRegistry, status: int) -> None:
    """As without Harbor's permission to delete repositories."""
    hostile.on("GET", OLD, Answer(status=204))
    hostile.on("DELETE", OLD, Answer(status=status))
    with pytest.raises(LongshoreError, match="target_"):
        await discard(there, hostile)


async def test_a_registry_that_cancels_no_upload_is_not_asked_again(
    there: Repository, hostile: HostileRegistry
) -> None:
    """It lets them expire."""
    hostile.on("GET", OLD, Answer(status=204))
    hostile.on("DELETE", OLD, Answer(status=405))
    assert await discard(there, hostile)


@pytest.mark.parametrize("address", FOREIGN)
async def test_a_foreign_address_gets_no_request(there: Repository, hostile: HostileRegistry, address: str) -> None:
    """Workers store addresses, and registries choose them: the API's account must delete nothing by them."""
    address = address.format(host=hostile.host)
    assert not there.is_upload(address)
    assert await there.discard_upload(address)
    assert hostile.requests() == []


@pytest.mark.parametrize("location", FOREIGN[:-1])
async def test_a_location_elsewhere_gets_no_request(there: Repository, hostile: HostileRegistry, location: str) -> None:
    """The answer to the question for the upload names the address of the next request."""
    hostile.on("GET", OLD, Answer(status=204, headers={"Location": location.format(host=hostile.host)}))
    with pytest.raises(LongshoreError, match="target_protocol_error"):
        await discard(there, hostile)
    assert [asked.path for asked in hostile.requests()] == [OLD]


@pytest.mark.parametrize("path", [OLD, "/v2/team/app/blobs/upload/a.b-c_d~e=f"])
def test_an_upload_of_the_repository_is_recognised(there: Repository, hostile: HostileRegistry, path: str) -> None:
    """Relative and absolute locations become the same address."""
    assert there.is_upload(f"{hostile.url}{path}?_state=a%2F..%2F")


async def test_a_cancellation_says_whether_the_registry_confirms_it(
    there: Repository, hostile: HostileRegistry
) -> None:
    """An unknown upload may be one whose address is outdated."""
    hostile.on("DELETE", OLD, Answer(status=204), UNKNOWN, Answer(status=405))
    session = UploadSession(f"{hostile.url}{OLD}")
    assert [await there.cancel_upload(session) for _ in range(3)] == [True, False, False]
