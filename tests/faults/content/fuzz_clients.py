"""Requests to an API from clients that it does not know: mutated heads, JWTs and bodies, each on its own connection."""

from __future__ import annotations

import base64
import json
import random
import socket
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults.content.mutations import BODIES, LONG, NUMBERS, mutate_bytes, mutate_document

AT_ONCE = 4
# Seconds for the answer to a request, which may have none: a body that is shorter than stated.
TIMEOUT = 10.0
SERVER_ERRORS = range(500, 600)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "\xff", "G" * 9_000)
PATHS = (
    *(
        "/api/v1/images",
        "/api/v1/images:import",
        "/api/v1/images/1",
        "/api/v1/whoami",
        "/api/v1/audit",
        "/healthz",
        "/readyz",
    ),
    *(
        "/api/v1/images:import/a/progress",
        "/api/v1/images:import/%00/begin",
        "/api/v1/tokens/9" + "9" * 400,
        "/%",
        "/%ff%fe",
    ),
    *(
        "/api/v1/images?search=%00&page_num=" + "9" * 5_000,
        "/api/v1/" + "a" * 7_000,
        "/\xff",
        "*",
        "http://[/",
        "//",
        "/?\xe9",
    ),
    *(
        "/api/v1/image-registries/-1",
        "/api/v1/openapi.json",
        "/api/v1/images/1/importing-details?stream=1",
        "/console/..%2f",
    ),
)
CLAIMS = {"iss": "http://127.0.0.1/", "sub": "ada", "aud": "longshore", "exp": 4_000_000_000, "groups": ["a"]}
IMPORT = {"source": "r.example/a:1", "target": "a/b:1", "platforms": ["linux/amd64"], "credentials": {"username": "a"}}
HEADERS = (
    "X-Request-ID",
    "traceparent",
    "Content-Type",
    "Accept",
    "Cookie",
    "X-Forwarded-For",
    "Expect",
    "Range",
    "Host",
    "Origin",
)
VALUES = (
    "",
    "\xff\xfe",
    "\x01",
    "a" * 7_000,
    "00-" + "0" * 32 + "-0-0",
    "multipart/form-data",
    "bytes=-1",
    "[::1",
    "100-continue",
    ",;=",
)
TOKENS = (
    "",
    "a",
    "a.b.c",
    "..",
    ".",
    "\xff",
    "a" * 7_900,
    "=" * 100,
    "a b",
    "lsh_" + "0" * 43,
    "." * 7_000,
    "e30.e30.",
)


@dataclass(kw_only=True)
class ClientsOutcome:
    """The numbers of answers by status; `failed` are requests whose answer was a server error, with their seeds."""

    statuses: Counter[int] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


def fuzz_clients(port: int, rng: random.Random, number: int) -> ClientsOutcome:
    """Send mutated requests without an accepted token."""
    seeds = [rng.getrandbits(32) for _ in range(number)]
    outcome = ClientsOutcome()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for seed, status in zip(
            seeds, pool.map(lambda seed: _send(port, _request(random.Random(seed))), seeds), strict=True
        ):
            outcome.statuses[status] += 1
            if status in SERVER_ERRORS:
                outcome.failed.append(f"{status} {_request(random.Random(seed))[:300]!r}")
    return outcome


def _request(rng: random.Random) -> bytes:
    body = rng.choice(
        (b"", mutate_document(json.dumps(IMPORT).encode(), rng), mutate_bytes(b"{}", rng), rng.choice(BODIES))
    )
    method = rng.choice(METHODS[:6]) if rng.random() < 0.8 else rng.choice(METHODS)
    lines = [f"{method} {rng.choice(PATHS)} HTTP/1.1", "Host: longshore"]
    lines += [f"Authorization: {_authorization(rng)}"] * rng.choice((0, 1, 1, 1, 1, 2))
    lines += [f"{rng.choice(HEADERS)}: {rng.choice(VALUES)}" for _ in range(rng.randrange(3))]
    lines.append(_framing(body, rng))
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def _framing(body: bytes, rng: random.Random) -> str:
    if rng.random() < 0.9:
        return f"Content-Length: {len(body)}"
    return rng.choice(
        (f"Content-Length: {rng.choice(NUMBERS)}", "Transfer-Encoding: chunked", "Transfer-Encoding: \xff", LONG)
    )


def _authorization(rng: random.Random) -> str:
    if rng.random() < 0.7:
        return f"Bearer {_jwt(rng)}"
    return rng.choice(
        (f"Bearer {rng.choice(TOKENS)}", "Bearer", "Basic \xff", f"Basic {rng.choice(TOKENS)}", "\xff", "a" * 7_000)
    )


def _jwt(rng: random.Random) -> str:
    header = {"alg": "RS256", "kid": "one", "typ": "JWT"} | rng.choice(
        ({}, {"alg": "none"}, {"alg": "HS256"}, {"b64": False})
    )
    parts = [json.dumps(header).encode(), json.dumps(CLAIMS).encode(), rng.randbytes(256)]
    at = rng.randrange(3)
    parts[at] = mutate_document(parts[at], rng) if at < 2 else mutate_bytes(parts[at], rng)
    # The server takes header lines of 8 KiB.
    token = ".".join(_encoded(part[:2_500]) for part in parts)
    return (
        token
        if rng.random() < 0.9
        else mutate_bytes(token.encode(), rng).decode("latin-1").replace("\n", "").replace("\r", "")
    )


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _send(port: int, request: bytes) -> int:
    """Return the status of the answer; 0 where the server ends the connection without one."""
    parts: Sequence[bytes] = ()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
            connection.sendall(request)
            parts = connection.recv(64).split(b" ", 2)
    except OSError:
        return 0
    return int(parts[1]) if len(parts) > 1 else 0
