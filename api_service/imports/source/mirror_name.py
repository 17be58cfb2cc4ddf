"""The part of a derived name that says which host an image comes from: `registry:5000` becomes `registry-5000`. Pure.

Every part stands for one host at most. A host whose name reads as another one's, such as one that is called
`registry-5000` itself, has no derived names: its images need a `target` in another project.
"""

import re
from ipaddress import IPv6Address
from typing import NewType

from shared.oci.engine_image import DOCKER_DAEMON, EngineImage, ImageSource
from shared.oci.reference import MAX_PORT, normal_registry

# A registry's `host[:port]` as references have it, or DOCKER_DAEMON, which no registry can have as its name.
Host = NewType("Host", str)

_ENGINE = Host(DOCKER_DAEMON)
_LOCALHOST = "localhost"
# Names that end with fewer digits are usual names of teams and products, such as `team-1`, and of no registry.
_WITH_PORT = re.compile(r"(.+)-([1-9][0-9]{1,4})")
# All eight groups of an IPv6 address, and a port.
_IPV6_NAME = re.compile(r"([0-9a-f]{1,4}(?:-[0-9a-f]{1,4}){7})(?:-([0-9]{1,5}))?")
_IPV6_HOST = re.compile(r"\[([0-9a-f:]+)\](?::([0-9]{1,5}))?")


def host_of(source: ImageSource) -> Host:
    """Return the host that a source is on; each IPv6 address has one spelling."""
    if isinstance(source, EngineImage):
        return _ENGINE
    address = _IPV6_HOST.fullmatch(source.registry)
    return _ipv6(address[1], address[2]) if address else Host(source.registry)


def mirror_name(source: ImageSource) -> str:
    """Return the part of a derived name that stands for the source's host."""
    address = None if isinstance(source, EngineImage) else _IPV6_HOST.fullmatch(source.registry)
    if address is None:
        return source.registry.replace(":", "-")
    groups = (f"{int(group, 16):x}" for group in IPv6Address(address[1]).exploded.split(":"))
    return "-".join((*groups, *filter(None, (address[2],))))


def host_named(part: str) -> Host | None:
    """Return the one host that a part of a name stands for; None if no host can have that name."""
    if part == _ENGINE.removesuffix(":"):
        return _ENGINE
    if address := _IPV6_NAME.fullmatch(part):
        return _ipv6(address[1].replace("-", ":"), address[2])
    if (with_port := _WITH_PORT.fullmatch(part)) and int(with_port[2]) <= MAX_PORT and _is_host(with_port[1]):
        return Host(f"{with_port[1]}:{with_port[2]}")
    return Host(part) if _is_host(part) else None


def is_host_name(part: str) -> bool:
    """Return whether a part of a name may stand for a host; every single word may."""
    return host_named(part) is not None


def is_host_without_doubt(part: str) -> bool:
    """Return whether a part of a name stands for a host, and is not merely a word."""
    return "." in part or part == _LOCALHOST or host_named(part) not in (None, part)


def _ipv6(address: str, port: str | None) -> Host:
    return Host(f"[{IPv6Address(address).compressed}]{f':{port}' if port else ''}")


def _is_host(text: str) -> bool:
    try:
        normal_registry(text)
    except ValueError:
        return False
    return True
