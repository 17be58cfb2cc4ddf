"""The relay forwards requests unchanged, and can run a function before or after one of them."""

import http.client
from collections.abc import Iterator

import pytest

from deploy.local.stack import Registry, Remote, synthetic_image
from tests.faults.relay import Moment, Relay, Step
from tests.faults.scripted_server import serving

TIMEOUT = 20.0


@pytest.fixture
def relay(target_registry: Registry) -> Iterator[Relay]:
    with serving(Relay(target_registry.port)) as relay:
        yield relay


def put_manifest(relay: Relay, repository: str, tag: str) -> int:
    """Push a manifest without a known media type, which a registry refuses with 400."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=TIMEOUT)
    try:
        connection.request("PUT", f"/v2/{repository}/manifests/{tag}", b"{}")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_registry_works_through_a_relay(relay: Relay, repository: str) -> None:
    """Uploads also work, because their Locations lead through the relay; it records all requests."""
    image = synthetic_image("relayed", [300_000])
    remote = Remote(relay.url)
    remote.push(repository, "1.0", image)
    assert remote.manifest(repository, "1.0") == image.root
    pushed = [passed for passed in relay.passed if passed.body == image.root.body]
    assert [passed.answer.status for passed in pushed] == [201]


def test_a_request_is_lost_before(relay: Relay, repository: str) -> None:
    """The function runs, the server does not get that request, and gets the next one."""
    done: list[int] = []
    trap = relay.at(Step(method="PUT", path=".*/manifests/1.0"), Moment.BEFORE, lambda: done.append(len(relay.passed)))
    with pytest.raises(http.client.RemoteDisconnected):
        put_manifest(relay, repository, "1.0")
    assert trap.fired.is_set()
    assert done == [0]
    assert put_manifest(relay, repository, "1.0") == 400
    assert len(relay.passed) == 1


def test_a_request_is_carried_out_before_what_happens_after(relay: Relay, repository: str) -> None:
    """The step matches the second request by its body; its response is still sent."""
    done: list[int] = []
    second = Step(method="PUT", path=".*", body=b"{", skip=1)
    trap = relay.at(second, Moment.AFTER, lambda: done.append(len(relay.passed)))
    assert put_manifest(relay, repository, "1.0") == 400
    assert not trap.fired.is_set()
    assert put_manifest(relay, repository, "2.0") == 400
    assert done == [2]
