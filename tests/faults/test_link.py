"""Each fault on a link to an echo server: its effects for the client and the server."""

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from deploy.local.stack import Registry, Remote, Scratch, synthetic_image
from tests.faults.echo import Echo, echoing
from tests.faults.fault import Corrupt, Cut, Delay, Direction, Fault, Freeze, Pace, Refuse, Silence, Truncate
from tests.faults.link import Link

MIB = 1024 * 1024
CONTENT = random.Random("link").randbytes(MIB)
# Seconds to check that nothing arrives, and to wait for bytes on a busy machine.
NOTHING = 0.3
TIMEOUT = 20.0


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture(scope="module")
def running(scratch: Scratch, echo: Echo) -> Iterator[Link]:
    with Link(scratch, echo.port, name="echo-link") as link:
        yield link


@pytest.fixture
def link(running: Link) -> Iterator[Link]:
    yield running
    running.set()
    running.reset()


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), TIMEOUT)


def exchange(connection: socket.socket, content: bytes = CONTENT) -> bytes:
    """Send from a thread, and return the received bytes, up to the same number or the end of the connection."""
    sender = threading.Thread(target=send, args=(connection, content))
    sender.start()
    got = receive(connection, len(content))
    sender.join()
    return got


def send(connection: socket.socket, content: bytes) -> None:
    try:
        connection.sendall(content)
    except OSError:
        return  # The test looks at what was received.


def receive(connection: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (content := connection.recv(size - len(got))):
        got += content
    return bytes(got)


def gets_nothing(connection: socket.socket) -> bool:
    connection.settimeout(NOTHING)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(TIMEOUT)
    return False


def test_bytes_pass_unharmed_and_are_counted(link: Link) -> None:
    """Without a fault the link is transparent."""
    before = link.counts()
    with connect(link) as connection:
        assert exchange(connection) == CONTENT
        after = link.counts()
    assert after.connections - before.connections == 1
    assert (after.to_server - before.to_server, after.to_client - before.to_client) == (MIB, MIB)


def test_an_orderly_end_passes_in_its_own_direction(link: Link) -> None:
    """A client that has closed its direction still gets the answer."""
    with connect(link) as connection:
        connection.sendall(b"ship")
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 100) == b"ship"


def test_a_reset_ends_open_connections_only(link: Link) -> None:
    """New connections work, as after the restart of a firewall."""
    with connect(link) as old:
        assert exchange(old, b"ship") == b"ship"
        link.reset()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
        with connect(link) as new:
            assert exchange(new, b"ship") == b"ship"


def test_a_server_that_is_away_is_a_reset(scratch: Scratch) -> None:
    """The link listens, but its server does not."""
    with Link(scratch, scratch.ports.reserve(), name="nowhere") as link, connect(link) as connection:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert link.counts().open == 0


def test_refused(link: Link) -> None:
    """Connections are refused until the fault is removed."""
    with link.injecting(Refuse()), pytest.raises(ConnectionRefusedError):
        connect(link)
    with connect(link) as connection:
        assert exchange(connection, b"ship") == b"ship"


def test_silent(link: Link, echo: Echo) -> None:
    """A new connection is accepted without an answer, the server does not get it, and older connections work."""
    with connect(link) as old:
        assert exchange(old, b"ship") == b"ship"
        before = echo.connections
        with link.injecting(Silence()), connect(link) as connection:
            connection.sendall(b"ship")
            assert gets_nothing(connection)
            assert exchange(old, b"ship") == b"ship"
        assert echo.connections == before


def test_frozen_one_way(link: Link, echo: Echo) -> None:
    """The client's bytes arrive; the answer waits until the fault is removed."""
    with connect(link) as connection:
        before = echo.got
        with link.injecting(Freeze(direction=Direction.TO_CLIENT)):
            connection.sendall(b"ship")
            assert gets_nothing(connection)
            assert echo.got - before == 4
        assert receive(connection, 4) == b"ship"


def test_frozen_both_ways(link: Link, echo: Echo) -> None:
    """The link does not even forward the end of the connection."""
    before = echo.got
    connection = connect(link)
    with link.injecting(Freeze(direction=Direction.TO_SERVER), Freeze(direction=Direction.TO_CLIENT)):
        connection.sendall(b"ship")
        connection.close()
        time.sleep(NOTHING)
        assert echo.got == before
        assert link.counts().open == 1


def test_frozen_from_a_byte_on(link: Link) -> None:
    """A transfer stops in the middle."""
    with link.injecting(Freeze(direction=Direction.TO_CLIENT, after=1000)), connect(link) as connection:
        connection.sendall(CONTENT[:5000])
        assert receive(connection, 1000) == CONTENT[:1000]
        assert gets_nothing(connection)


def test_dripping(link: Link) -> None:
    """Twenty bytes a second, one by one."""
    with link.injecting(Pace(direction=Direction.TO_CLIENT, rate=20)), connect(link) as connection:
        connection.sendall(CONTENT[:100])
        started = time.monotonic()
        assert len(connection.recv(100)) == 1
        assert receive(connection, 19) == CONTENT[1:20]
        assert 0.9 < time.monotonic() - started < 2


def test_bandwidth(link: Link) -> None:
    """A megabyte at two megabytes a second takes half of one."""
    started = time.monotonic()
    with link.injecting(Pace(direction=Direction.TO_SERVER, rate=2 * MIB)), connect(link) as connection:
        assert exchange(connection) == CONTENT
    assert 0.4 < time.monotonic() - started < 1.5


def test_delayed(link: Link) -> None:
    """Each byte has the same delay; a hundred pieces together have no longer delay than one."""
    content = CONTENT * 25
    with link.injecting(Delay(direction=Direction.TO_CLIENT, seconds=0.4)), connect(link) as connection:
        started = time.monotonic()
        assert exchange(connection, b"ship") == b"ship"
        assert time.monotonic() - started >= 0.4
        assert exchange(connection, content) == content
    assert time.monotonic() - started < 4


def test_cut_at_a_byte(link: Link) -> None:
    """Exactly this number of bytes is forwarded, then both sides get a reset."""
    before = link.counts()
    with link.injecting(Cut(direction=Direction.TO_CLIENT, after=70_000)), connect(link) as connection:
        with pytest.raises(ConnectionResetError):
            exchange(connection)
        after = link.counts()
    assert after.to_client - before.to_client == 70_000
    assert after.open == 0
    assert after.affected == [1]


def test_truncated_at_a_byte(link: Link) -> None:
    """Exactly this number of bytes arrives, and then an orderly end."""
    with link.injecting(Truncate(direction=Direction.TO_CLIENT, after=70_000)), connect(link) as connection:
        assert exchange(connection) == CONTENT[:70_000]


def test_a_byte_is_corrupted(link: Link) -> None:
    """One bit of exactly that byte is flipped."""
    with link.injecting(Corrupt(direction=Direction.TO_SERVER, after=70_000)), connect(link) as connection:
        got = exchange(connection)
    assert [index for index in range(MIB) if got[index] != CONTENT[index]] == [70_000]
    assert (got[70_000] ^ CONTENT[70_000]).bit_count() == 1


@pytest.mark.parametrize("fault", [Truncate(direction=Direction.TO_CLIENT, after=10, times=1), Silence(times=1)])
def test_a_fault_that_befalls_one_connection(link: Link, fault: Fault) -> None:
    """The fault affects only the first connection that reaches its byte."""
    with link.injecting(fault):
        with connect(link) as unlucky:
            unlucky.sendall(CONTENT[:20])
            assert gets_nothing(unlucky) if isinstance(fault, Silence) else receive(unlucky, 20) == CONTENT[:10]
        with connect(link) as connection:
            assert exchange(connection) == CONTENT
        assert link.counts().affected == [1]


def test_faults_are_taken_in_turn(link: Link) -> None:
    """Several cuts occur once each: a reconnecting client is cut again at the next byte."""
    cuts = [Truncate(direction=Direction.TO_CLIENT, after=after, times=1) for after in (10, 40, 50)]
    with link.injecting(*cuts):
        for expected in (10, 40, 50, 60):
            with connect(link) as connection:
                connection.sendall(CONTENT[:60])
                assert receive(connection, 60) == CONTENT[:expected]


def test_a_registry_works_through_a_link(scratch: Scratch, target_registry: Registry, repository: str) -> None:
    """The Locations that the registry returns also lead through the link."""
    image = synthetic_image("linked", [300_000])
    with Link(scratch, target_registry.port, name="registry-link") as link:
        Remote(f"http://{link.host}").push(repository, "1.0", image)
        sent = link.counts().to_server
        assert Remote(f"http://{link.host}").manifest(repository, "1.0") == image.root
    assert sent > sum(blob.size for blob in image.blobs)
