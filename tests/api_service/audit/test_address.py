"""The client's address, in front of and behind proxies."""

from ipaddress import ip_network

import pytest

from api_service.audit.address import client_address

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.7"], "198.51.100.7"),
        ("10.1.2.3", ["8.8.8.8, 198.51.100.7"], "198.51.100.7"),
        ("10.1.2.3", ["8.8.8.8", "198.51.100.7"], "198.51.100.7"),
        ("10.1.2.3", ["8.8.8.8, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.1.2.3", ["10.7.7.7"], "10.7.7.7"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.1.2.3", ["198.51.100.7:4711"], "198.51.100.7"),
        ("::ffff:10.1.2.3", ["198.51.100.7"], "198.51.100.7"),
        ("10.1.2.3", ["8.8.8.8, unknown"], "10.1.2.3"),
        ("10.1.2.3", [", , ,"], "10.1.2.3"),
        ("10.1.2.3", ["fe80::1%\x1b[2J"], "10.1.2.3"),
        ("10.1.2.3", ["10.0.0.1," * 2_000], "10.1.2.3"),
        ("10.1.2.3", ["8.8.8.8," + ", ".join(["10.0.0.1"] * 16)], "10.0.0.1"),
        (None, ["198.51.100.7"], None),
        ("/run/api.sock", ["198.51.100.7"], None),
    ],
)
def test_only_a_listed_proxy_is_believed(peer: str | None, forwarded: list[str], address: str | None) -> None:
    """A caller may send the header, too: the last address that is no proxy's is the client's."""
    assert client_address(peer, forwarded, PROXIES) == address
