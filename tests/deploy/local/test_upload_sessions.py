"""How the two registries treat an upload whose request is cut: the facts on which resuming uploads depends."""

import hashlib
import http.client
import random
import re
import socket
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.local.go.program import BUILD_SECONDS
from deploy.local.stack import Registry, Scratch

BLOB = random.Random("upload sessions").randbytes(300_000)
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
CUT = 200_000
# Seconds for distribution to write the bytes that arrived before the cut.
SETTLING = 5.0

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


@pytest.fixture(scope="module")
def keeping(scratch: Scratch, distribution_3: Path) -> Iterator[Registry]:
    """A distribution 3."""
    with Registry(scratch, name="distribution-3", program=distribution_3) as registry:
        yield registry


def ask(
    registry: Registry, method: str, location: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str]]:
    connection = http.client.HTTPConnection(registry.host, timeout=30)
    try:
        connection.request(method, location, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        response.read()
        return response.status, dict(response.headers)
    finally:
        connection.close()


def start_upload(registry: Registry, repository: str) -> str:
    status, headers = ask(registry, "POST", f"/v2/{repository}/blobs/uploads/")
    assert status == 202
    return path_of(headers)


def path_of(headers: Mapping[str, str]) -> str:
    place = urllib.parse.urlsplit(headers["Location"])
    return f"{place.path}?{place.query}"


def send_and_cut(registry: Registry, method: str, location: str) -> None:
    """Announce the whole blob, send a part of it, and close the connection."""
    with socket.create_connection(("127.0.0.1", registry.port)) as connection:
        head = f"{method} {location} HTTP/1.1\r\nHost: {registry.host}\r\nContent-Length: {len(BLOB)}\r\n\r\n"
        connection.sendall(head.encode() + BLOB[:CUT])


def kept_bytes(registry: Registry, location: str) -> tuple[int, str]:
    """Return the final size of a session, and the Location for the next request."""
    limit = time.monotonic() + SETTLING
    while True:
        status, headers = ask(registry, "GET", location)
        assert status == 204
        held = re.fullmatch(r"0-(\d+)", headers["Range"])
        assert held
        if int(held[1]) + 1 == CUT or time.monotonic() > limit:
            return int(held[1]) + 1, path_of(headers)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_distribution_3_keeps_what_came_before_a_cut(keeping: Registry, repository: str, method: str) -> None:
    """GET returns the offset and a new Location; a PATCH there continues, and the digest is right."""
    first = start_upload(keeping, repository)
    send_and_cut(keeping, method, first if method == "PATCH" else f"{first}&digest={DIGEST}")
    held, location = kept_bytes(keeping, first)
    assert held == CUT
    headers = {"Content-Range": f"{held}-{len(BLOB) - 1}", "Content-Type": "application/octet-stream"}
    status, answer = ask(keeping, "PATCH", location, BLOB[held:], headers)
    assert (status, answer["Range"]) == (202, f"0-{len(BLOB) - 1}")
    assert ask(keeping, "PUT", f"{path_of(answer)}&digest={DIGEST}")[0] == 201


def test_distribution_3_refuses_an_address_from_before_the_cut(keeping: Registry, repository: str) -> None:
    """Only GET accepts the old Location, not even DELETE: cancelling an upload needs a GET first."""
    first = start_upload(keeping, repository)
    send_and_cut(keeping, "PATCH", first)
    _, location = kept_bytes(keeping, first)
    assert ask(keeping, "PATCH", first, BLOB[CUT:], {"Content-Range": f"{CUT}-{len(BLOB) - 1}"})[0] == 416
    assert ask(keeping, "DELETE", first)[0] == 416
    assert ask(keeping, "DELETE", location)[0] == 204
    assert ask(keeping, "GET", first)[0] == 404


def test_distribution_3_takes_bytes_at_the_end_of_a_session_only(keeping: Registry, repository: str) -> None:
    """A Content-Range with another start is refused and changes nothing."""
    first = start_upload(keeping, repository)
    send_and_cut(keeping, "PATCH", first)
    _, location = kept_bytes(keeping, first)
    assert ask(keeping, "PATCH", location, b"x" * 10, {"Content-Range": f"{CUT + 5}-{CUT + 14}"})[0] == 416
    assert kept_bytes(keeping, first)[0] == CUT


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_distribution_2_loses_a_cut_session(target_registry: Registry, repository: str, method: str) -> None:
    """Every Location of the session gets 404: the blob must be sent from its start."""
    first = start_upload(target_registry, repository)
    send_and_cut(target_registry, method, first if method == "PATCH" else f"{first}&digest={DIGEST}")
    limit = time.monotonic() + SETTLING
    # The Location contains the size before the request: until the first byte is stored, it is still valid.
    while (status := ask(target_registry, "GET", first)[0]) == 204:
        assert time.monotonic() < limit
    assert status == 404
    assert ask(target_registry, "DELETE", first)[0] == 404


def test_distribution_2_keeps_the_bytes_of_a_cut_session(target_registry: Registry, repository: str) -> None:
    """It answers as if it cancelled the upload, and fails to: only its own purge removes the bytes."""
    first = start_upload(target_registry, repository)
    send_and_cut(target_registry, "PATCH", first)
    folder = target_registry.root / "docker/registry/v2/repositories" / repository / "_uploads"
    limit = time.monotonic() + SETTLING
    while sum(file.stat().st_size for file in folder.rglob("data")) < CUT:
        assert time.monotonic() < limit
    for method in ("GET", "DELETE"):
        assert ask(target_registry, method, first)[0] == 404
    assert sum(file.stat().st_size for file in folder.rglob("data")) == CUT


def test_distribution_2_keeps_a_session_between_whole_requests(target_registry: Registry, repository: str) -> None:
    """Only the newest Location is valid, which a worker that dies during a request never gets."""
    first = start_upload(target_registry, repository)
    status, headers = ask(target_registry, "PATCH", first, BLOB[:CUT])
    assert status == 202
    assert ask(target_registry, "GET", path_of(headers))[0] == 204
    assert ask(target_registry, "GET", first)[0] == 404
