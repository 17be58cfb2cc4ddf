"""The network guard on real connections: a forbidden address is never connected to."""

import asyncio
import socket
import time

import pytest

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.guard import AddressRefusedError, Calling, Guard
from shared.network.policy import NetworkPolicy
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.content import described, read
from tests.shared.fixtures import Opener

PING = "/v2/"


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.0.0.2",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_an_inside_address_is_refused_under_every_name(
    opened: Opener, hostile: HostileRegistry, name: str
) -> None:
    """Literals bypass a resolver, names bypass a check of literals: the connected address decides."""
    host = f"{name}:{hostile.port}"
    registries = await opened(NetworkPolicy.of(plain_http=[host]))
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(host).ping()
    assert caught.value.code == "source_host_refused"
    assert host in caught.value.detail
    assert hostile.connections == 0


@pytest.mark.parametrize("name", ["2130706433", "127.1", "0x7f.1", "017700000001"])
async def test_an_address_in_an_old_spelling_is_never_connected_to(
    opened: Opener, hostile: HostileRegistry, name: str
) -> None:
    """The system's resolver would take them for 127.0.0.1."""
    host = f"{name}:{hostile.port}"
    registries = await opened(NetworkPolicy.of(plain_http=[host]))
    with pytest.raises(LongshoreError):
        await registries.registry(host).ping()
    assert hostile.connections == 0


@pytest.mark.parametrize("entry", ["127.0.0.0/8", "127.0.0.1", "127.0.0.1:{port}", "localhost", "localhost:{port}"])
async def test_a_listed_host_is_called(opened: Opener, hostile: HostileRegistry, entry: str) -> None:
    """ALLOWED_PRIVATE in each of its forms; happy eyeballs tries ::1 as well, which only a name covers."""
    hostile.on("GET", PING, Answer())
    host = f"localhost:{hostile.port}"
    policy = NetworkPolicy.of(allowed_private=[entry.format(port=hostile.port)], plain_http=[host])
    await (await opened(policy)).registry(host).ping()
    assert len(hostile.asked) == 1


async def test_a_name_that_is_listed_opens_nothing_to_other_names(opened: Opener, hostile: HostileRegistry) -> None:
    """The other names are refused even if the listed name has left a connection open."""
    hostile.on("GET", PING, Answer())
    listed, literal = f"localhost:{hostile.port}", hostile.host
    registries = await opened(NetworkPolicy.of(allowed_private=[listed], plain_http=[listed, literal]))
    await registries.registry(listed).ping()
    with pytest.raises(LongshoreError, match="source_host_refused"):
        await registries.registry(literal).ping()
    await registries.registry(listed).ping()
    assert [asked.headers["host"] for asked in hostile.asked] == [listed, listed]


async def test_names_asked_for_at_once_are_not_mixed_up(opened: Opener, hostile: HostileRegistry) -> None:
    """Each request is checked by its own host name, regardless of concurrent connections."""
    hostile.on("GET", PING, Answer())
    listed, literal = f"localhost:{hostile.port}", hostile.host
    registries = await opened(NetworkPolicy.of(allowed_private=[listed], plain_http=[listed, literal]))
    asks = [registries.registry(host).ping() for _ in range(10) for host in (listed, literal)]
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert all(result is None for result in results[::2])
    assert all(isinstance(result, LongshoreError) for result in results[1::2])
    assert {asked.headers["host"] for asked in hostile.asked} == {listed}


async def test_a_redirect_into_the_inside_is_refused(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """The registry is allowed; the redirect's target is checked separately."""
    blob = described(b"layer")
    path = f"/v2/team/app/blobs/{blob.digest}"
    policy = NetworkPolicy.of(allowed_private=[hostile.host], plain_http=[hostile.host, other.host])
    registries = await opened(policy)
    for target in (other.url, f"https://{other.host}", "https://169.254.169.254"):
        hostile.on("GET", path, Answer(status=307, headers={"Location": f"{target}/latest"}))
        with pytest.raises(LongshoreError) as caught:
            await read(registries.registry(hostile.host).repository("team/app"), blob)
        assert caught.value.code == "source_host_refused"
    assert other.connections == 0


async def test_a_realm_in_the_inside_is_refused(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """The same rule applies as for redirects."""
    policy = NetworkPolicy.of(allowed_private=[hostile.host], plain_http=[hostile.host, other.host])
    registries = await opened(policy)
    for target in (other.url, f"https://{other.host}", "https://169.254.169.254"):
        hostile.on("GET", PING, Answer(status=401, headers={"WWW-Authenticate": f'Bearer realm="{target}/"'}))
        with pytest.raises(LongshoreError) as caught:
            await registries.registry(hostile.host).ping()
        assert caught.value.code == "source_host_refused"
    assert other.connections == 0


async def test_the_targets_own_address_is_not_questioned(opened: Opener, hostile: HostileRegistry) -> None:
    """The operator has configured it."""
    hostile.on("GET", PING, Answer())
    policy = NetworkPolicy.of(plain_http=[hostile.host], trusted=True)
    await (await opened(policy, Side.TARGET)).registry(hostile.host).ping()


def test_without_a_request_no_name_is_trusted() -> None:
    """A connection without a declared host name is checked by its address alone."""
    guard = Guard(NetworkPolicy.of(allowed_private=["localhost"]))
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 1))
    with pytest.raises(AddressRefusedError):
        guard.make_socket(info)
    with Calling("localhost"):
        guard.make_socket(info).close()


async def test_a_peer_that_takes_nothing_is_given_up() -> None:
    """The HTTP client has no time limit for a body that the peer does not read; the kernel has."""

    async def send_for_ever(client: socket.socket) -> None:
        while True:
            await asyncio.get_running_loop().sock_sendall(client, bytes(1024 * 1024))

    guard = Guard(NetworkPolicy.of(trusted=True), unread_data_timeout=1000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with guard.make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", address)) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, address)
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                await send_for_ever(client)
    assert time.monotonic() - started < 20
