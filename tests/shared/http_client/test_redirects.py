"""Redirects: Longshore follows them itself, a bounded number, without credentials once they leave the registry."""

import ssl

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.wire import MAX_REDIRECTS
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.certificates import Authority
from tests.shared.content import described, noise, push, read
from tests.shared.fixtures import Opener

CONTENT = noise(10_000, 3)
BLOB = described(CONTENT)
PATH = f"/v2/team/app/blobs/{BLOB.digest}"
CREDENTIAL = Credential("alice", "canary-password")
CHALLENGE = Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})


def to(location: str, status: int = 307, body: bytes = b"") -> Answer:
    return Answer(status=status, headers={"Location": location}, body=body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_blob_is_read_from_where_the_registry_points(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, status: int
) -> None:
    """Storage receives the range but no Authorization: S3 rejects a request with a signature and an Authorization."""
    hostile.on("GET", PATH, CHALLENGE, to(f"{other.url}/store/it?sig=a%2Fb%2B%3D&e=+", status))
    headers = {"Content-Range": f"bytes 10-{BLOB.size - 1}/{BLOB.size}"}
    other.on("GET", "/store/it", Answer(status=206, headers=headers, body=CONTENT[10:]))
    registries = await opened.loopback(hostile.host, other.host)
    there = registries.registry(hostile.host, CREDENTIAL).repository("team/app")
    assert await read(there, BLOB, 10) == CONTENT[10:]
    assert "authorization" in hostile.asked[-1].headers
    stored = other.asked[0]
    assert "authorization" not in stored.headers
    assert stored.headers["range"] == f"bytes=10-{BLOB.size - 1}"
    assert stored.query == "sig=a%2Fb%2B%3D&e=+"


async def test_credentials_stay_on_the_registrys_own_redirects(opened: Opener, hostile: HostileRegistry) -> None:
    """A relative Location is on the same server."""
    hostile.on("GET", PATH, CHALLENGE, to("../../../../elsewhere"))
    hostile.on("GET", "/elsewhere", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host, CREDENTIAL).repository("team/app"), BLOB) == CONTENT
    assert "authorization" in hostile.requests("GET", "/elsewhere")[0].headers


async def test_credentials_do_not_come_back_after_a_detour(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Otherwise another host could choose the requests that carry the account."""
    hostile.on("GET", PATH, CHALLENGE, to(f"{other.url}/detour"))
    other.on("GET", "/detour", to(f"{hostile.url}/back"))
    hostile.on("GET", "/back", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host, other.host)
    assert await read(registries.registry(hostile.host, CREDENTIAL).repository("team/app"), BLOB) == CONTENT
    assert "authorization" not in other.asked[0].headers
    assert "authorization" not in hostile.requests("GET", "/back")[0].headers


async def test_another_name_of_the_same_address_is_another_host(opened: Opener, hostile: HostileRegistry) -> None:
    """Host names decide where credentials go, not IP addresses."""
    renamed = f"localhost:{hostile.port}"
    hostile.on("GET", PATH, CHALLENGE, to(f"http://{renamed}/else"))
    hostile.on("GET", "/else", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host, renamed)
    assert await read(registries.registry(hostile.host, CREDENTIAL).repository("team/app"), BLOB) == CONTENT
    assert "authorization" not in hostile.requests("GET", "/else")[0].headers


async def test_a_challenge_from_elsewhere_is_not_answered(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Storage never receives the account; the registry may issue a new address, so the request is retried."""
    hostile.on("GET", PATH, to(f"{other.url}/store"))
    other.on("GET", "/store", CHALLENGE)
    registries = await opened.loopback(hostile.host, other.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host, CREDENTIAL).repository("team/app"), BLOB)
    assert caught.value.code == "source_unavailable"
    assert other.host in caught.value.detail
    assert not [asked for asked in (*hostile.asked, *other.asked) if "authorization" in asked.headers]


@pytest.mark.parametrize("status", [403, 404, 400])
async def test_storage_that_refuses_a_signed_address_may_be_asked_again(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, status: int
) -> None:
    """Signed addresses expire; the registry issues a new one."""
    hostile.on("GET", PATH, to(f"{other.url}/old"), to(f"{other.url}/new"))
    other.on("GET", "/old", Answer(status=status))
    other.on("GET", "/new", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host, other.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB) == CONTENT


async def test_the_number_of_redirects_is_bounded(opened: Opener, hostile: HostileRegistry) -> None:
    """A redirect loop must end."""
    hostile.on("GET", PATH, to(PATH))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code == "source_protocol_error"
    assert len(hostile.asked) == MAX_REDIRECTS + 1


async def test_as_many_redirects_as_allowed_are_followed(opened: Opener, hostile: HostileRegistry) -> None:
    """The maximum itself is allowed; bodies of redirects are ignored."""
    for hop in range(MAX_REDIRECTS):
        hostile.on("GET", f"/{hop}" if hop else PATH, to(f"/{hop + 1}", body=noise(50_000)))
    hostile.on("GET", f"/{MAX_REDIRECTS}", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB) == CONTENT
    assert hostile.connections == 1


@pytest.mark.parametrize(
    "location",
    [
        "",
        "ftp://127.0.0.1/x",
        "http://",
        "http://[::1",
        "http://a:b@127.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "file:///etc",
    ],
)
async def test_a_redirect_to_nowhere_is_an_error(opened: Opener, hostile: HostileRegistry, location: str) -> None:
    """Missing, malformed, or not http."""
    hostile.on("GET", PATH, Answer(status=307, headers={"Location": location} if location else {}))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code == "source_protocol_error"


async def test_a_redirect_to_plain_http_needs_a_listed_host(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """The list holds the registry, not every host that it names."""
    hostile.on("GET", PATH, to(f"{other.url}/store"))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code == "source_protocol_error"
    assert "plain http" in caught.value.detail
    assert other.asked == []


async def test_https_never_leads_to_http(opened: Opener, hostile: HostileRegistry, authority: Authority) -> None:
    """This includes listed hosts: a request that starts under TLS stays under TLS."""
    context: ssl.SSLContext = authority.server("downgrading").context()
    async with HostileRegistry(tls=context) as secure:
        secure.on("GET", PATH, to(f"{hostile.url}/store"))
        policy = NetworkPolicy.of(
            allowed_private=["127.0.0.0/8"],
            plain_http=[hostile.host],
            ca_files={secure.host: str(authority.file)},
        )
        registries = await opened(policy)
        with pytest.raises(LongshoreError) as caught:
            await read(registries.registry(secure.host).repository("team/app"), BLOB)
        assert caught.value.code == "source_protocol_error"
        assert hostile.asked == []


async def test_spaces_and_signs_in_a_location_cannot_break_the_request_line(
    opened: Opener, hostile: HostileRegistry
) -> None:
    """Characters that a request line cannot hold are encoded; all others arrive unchanged."""
    hostile.on("GET", PATH, to("/else where?q=a%2f|é"))
    hostile.on("GET", "/else%20where", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB) == CONTENT
    assert hostile.asked[-1].target.startswith("/else%20where?q=a%2f|%")


async def test_head_follows_redirects_too(opened: Opener, hostile: HostileRegistry, other: HostileRegistry) -> None:
    """Some registries send HEAD to storage as well."""
    hostile.on("HEAD", PATH, to(f"{other.url}/store"))
    other.on("HEAD", "/store", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host, other.host)
    assert await registries.registry(hostile.host).repository("team/app").has_blob(BLOB)


async def test_writes_are_never_redirected(opened: Opener, hostile: HostileRegistry, other: HostileRegistry) -> None:
    """A redirected POST or PUT would send data and the authorization to write it to another server."""
    for status in (301, 307, 308):
        hostile.on("POST", "/v2/team/app/blobs/uploads/", to(f"{other.url}/x", status))
        registries = await opened.loopback(hostile.host, other.host, side=Side.TARGET)
        with pytest.raises(LongshoreError) as caught:
            await push(registries.registry(hostile.host).repository("team/app"), CONTENT)
        assert caught.value.code == "target_protocol_error"
    assert other.asked == []


async def test_an_endless_body_beside_a_redirect_does_no_harm(opened: Opener, hostile: HostileRegistry) -> None:
    """The body is skipped; a long one only costs the connection."""
    hostile.on("GET", PATH, Answer(status=307, headers={"Location": "/else"}, length=None, endless=True))
    hostile.on("GET", "/else", Answer(body=CONTENT))
    registries = await opened.loopback(hostile.host)
    assert await read(registries.registry(hostile.host).repository("team/app"), BLOB) == CONTENT


async def test_storage_answers_are_named_by_their_host(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """The error names the storage's host, not the registry's."""
    hostile.on("GET", PATH, to(f"{other.url}/store"))
    other.on("GET", "/store", error(503, "SLOWDOWN"))
    registries = await opened.loopback(hostile.host, other.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.code == "source_unavailable"
    assert other.host in caught.value.detail
