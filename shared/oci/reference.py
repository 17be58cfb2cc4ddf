"""Image references, read as Docker reads them (distribution/reference grammar, normalised names)."""

import re
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from shared.oci.digest import Digest

DOCKER_HUB = "docker.io"
_DOCKER_HUB_ALIASES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
# Limits of the distribution grammar: a whole name and a tag, in characters.
MAX_NAME_LENGTH = 255
MAX_TAG_LENGTH = 128
MAX_PORT = 65535
# No reference within the limits above is longer; longer ones are refused before a pattern is matched.
MAX_REFERENCE_LENGTH = 1024

_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_ONE_COMPONENT = re.compile(_COMPONENT)
# Docker reads these as the id of a local image, and refuses them as names.
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One image in one registry: `registry/repository[:tag][@digest]`, normalised."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str, *, registry: str | None = None) -> "Reference":
        """Read a reference; `nginx` becomes `docker.io/library/nginx:latest`.

        `registry` is the default where the text names none. Raises ValueError with a sentence for a person.
        """
        if len(text) > MAX_REFERENCE_LENGTH:
            raise ValueError(f"the reference is longer than {MAX_REFERENCE_LENGTH} characters")
        rest, digest = _take_digest(text)
        host, path = split_registry(rest)
        if _IMAGE_ID.fullmatch(text):
            raise ValueError(f"{text} is an image id, which no registry knows; name a repository")
        path, tag = _take_tag(path)
        host = normal_registry(host or registry or DOCKER_HUB)
        if host == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        _check_repository(path)
        return cls(host, path, tag or (None if digest else "latest"), digest)

    def pinned(self, digest: Digest) -> "Reference":
        """Return the same reference, pinned to this digest."""
        return replace(self, digest=digest)

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def normal_registry(host: str) -> str:
    """Check a registry's `host[:port]` and return it in lower case, Docker Hub under its one name.

    Raises ValueError.
    """
    if _REGISTRY.fullmatch(host) is None or not _has_valid_brackets(host):
        raise ValueError(f"{host[:100]!r} is not a registry address (host or host:port)")
    port = host.rpartition(":")[2]
    if port.isdigit() and ":" in host and not host.endswith("]") and not 0 < int(port) <= MAX_PORT:
        raise ValueError(f"{port} is not a port number")
    host = host.lower()
    return DOCKER_HUB if host in _DOCKER_HUB_ALIASES else host


def _has_valid_brackets(host: str) -> bool:
    """Return whether the part in brackets, if any, is an IPv6 address, which a pattern alone cannot check."""
    literal = host.partition("]")[0].removeprefix("[") if host.startswith("[") else "::"
    try:
        IPv6Address(literal)
    except ValueError:
        return False
    return True


def split_registry(text: str) -> tuple[str | None, str]:
    """Split `host/path` as Docker does: a host has a dot, a colon or a capital letter, or is localhost."""
    first, slash, rest = text.partition("/")
    if slash and (any(mark in first for mark in ".:[") or first == "localhost" or first != first.lower()):
        return first, rest
    return None, text


def is_component(text: str) -> bool:
    """Return whether the text can be one part of a repository's name, between two slashes."""
    return len(text) <= MAX_NAME_LENGTH and _ONE_COMPONENT.fullmatch(text) is not None


def check_tag(tag: str) -> str:
    """Return the tag, or raise ValueError."""
    if _TAG.fullmatch(tag) is None:
        raise ValueError(f"{tag[:MAX_TAG_LENGTH]!r} is not a tag (letters, digits, '_', '.', '-'; at most 128)")
    return tag


def _take_digest(text: str) -> tuple[str, Digest | None]:
    rest, at, digest = text.partition("@")
    return rest, Digest.parse(digest) if at else None


def _take_tag(path: str) -> tuple[str, str | None]:
    rest, colon, tag = path.rpartition(":")
    return (rest, check_tag(tag)) if colon else (path, None)


def _check_repository(path: str) -> None:
    if not path or _REPOSITORY.fullmatch(path) is None:
        raise ValueError(
            f"{path[:100]!r} is not a repository name (lower-case letters, digits, single '.', '_', '-' "
            "inside, parts separated by '/')"
        )
    if len(path) > MAX_NAME_LENGTH:
        raise ValueError(f"the repository name is longer than {MAX_NAME_LENGTH} characters")
