"""Addresses, host lists and the network policy; without any connection."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.network.addresses import embedded_ipv4, is_public, read_address
from shared.network.hosts import AllowedPrivate, HostPort
from shared.network.policy import NetworkPolicy

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    """Loopback, link-local with cloud metadata, private, shared, reserved, and addresses that embed one of them."""
    assert not NetworkPolicy.of().allows("registry.example", read_address(address), 443)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_allowed(address: str) -> None:
    """The neighbours of the closed ranges, and translated public addresses, are allowed."""
    assert NetworkPolicy.of().allows("registry.example", read_address(address), 443)


@given(st.ip_addresses(v=4))
def test_an_address_means_the_same_in_every_disguise(address: object) -> None:
    """Mapped into IPv6, or through NAT64, it is the same host."""
    plain = ip_address(str(address))
    disguises = [ip_address(f"::ffff:{address}"), ip_address(f"64:ff9b::{address}")]
    assert [embedded_ipv4(disguise) for disguise in disguises] == [plain, plain]
    assert {is_public(disguise) for disguise in disguises} == {is_public(plain)}


@given(st.ip_addresses())
def test_a_trusted_side_may_call_every_address(address: object) -> None:
    """The operator has configured the target."""
    assert NetworkPolicy.of(trusted=True).allows("target.example", ip_address(str(address)), 443)


@pytest.mark.parametrize(
    ("entry", "asked", "address", "port", "allowed"),
    [
        ("127.0.0.0/8", "any.example", "127.0.0.1", 5000, True),
        ("127.0.0.0/8", "any.example", "::ffff:127.0.0.1", 5000, True),
        ("127.0.0.0/8", "any.example", "10.0.0.1", 5000, False),
        ("10.1.2.3", "any.example", "10.1.2.3", 1, True),
        ("10.1.2.3", "any.example", "10.1.2.4", 1, False),
        ("10.1.2.3:5000", "any.example", "10.1.2.3", 5000, True),
        ("10.1.2.3:5000", "any.example", "10.1.2.3", 22, False),
        ("fd00::/8", "any.example", "fd00::1", 443, True),
        ("::1", "any.example", "::1", 443, True),
        ("[::1]:5000", "any.example", "::1", 5000, True),
        ("[::1]:5000", "any.example", "::1", 443, False),
        ("registry.corp", "registry.corp", "10.1.2.3", 443, True),
        ("registry.corp", "registry.corp", "10.1.2.3", 22, True),
        ("registry.corp", "evil.example", "10.1.2.3", 443, False),
        ("registry.corp", "sub.registry.corp", "10.1.2.3", 443, False),
        ("Registry.Corp:5000", "registry.corp", "10.1.2.3", 5000, True),
        ("registry.corp:5000", "registry.corp", "10.1.2.3", 443, False),
    ],
)
def test_an_entry_lets_in_what_it_names(entry: str, asked: str, address: str, port: int, allowed: bool) -> None:
    """Networks and addresses apply to every name; a name applies only to requests for that name."""
    policy = NetworkPolicy.of(allowed_private=[entry])
    assert policy.allows(asked, read_address(address), port) is allowed


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "host:0",
        "host:65536",
        "host:",
        "host:port",
        "ho st",
        "[::1",
        "http://x",
        "a/b",
    ],
)
def test_a_bad_entry_is_named(entry: str) -> None:
    """A service must not start with a list that its operator has misunderstood."""
    with pytest.raises(ValueError, match=r"is not|has no"):
        AllowedPrivate.parse(entry)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("Registry.Example", "registry.example", None),
        ("registry.example:5000", "registry.example", 5000),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1:5000", "127.0.0.1", 5000),
        ("::1", "::1", None),
        ("[::1]", "::1", None),
        ("[::1]:5000", "::1", 5000),
        (" padded:80 ", "padded", 80),
    ],
)
def test_a_host_is_read_with_and_without_its_port(text: str, host: str, port: int | None) -> None:
    """Operators write it in both forms."""
    assert HostPort.parse(text) == HostPort(host, port)


def test_plain_http_is_for_listed_hosts() -> None:
    """An entry without a port means the port of http."""
    policy = NetworkPolicy.of(plain_http=["plain.example", "other.example:5000"])
    assert [policy.scheme(host) for host in ("plain.example", "plain.example:80", "other.example:5000")] == ["http"] * 3
    assert [policy.scheme(host) for host in ("plain.example:81", "other.example", "x.example")] == ["https"] * 3
    assert policy.allows_plain("plain.example", 80)
    assert not policy.allows_plain("plain.example", 8080)


def test_an_authority_is_for_its_host(tmp_path: Path) -> None:
    """An entry with a port holds for that port only, and takes precedence."""
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    for file in (first, second):
        file.write_text("a certificate")
    policy = NetworkPolicy.of(ca_files={"Registry.example": str(first), "registry.example:5000": str(second)})
    assert policy.ca_file("registry.example", 443) == str(first)
    assert policy.ca_file("registry.example", 5000) == str(second)
    assert policy.ca_file("other.example", 443) is None


def test_a_missing_file_of_authorities_is_named() -> None:
    """The error appears at the start, not at the first import."""
    with pytest.raises(ValueError, match=r"/nowhere\.pem"):
        NetworkPolicy.of(ca_files={"registry.example": "/nowhere.pem"})
