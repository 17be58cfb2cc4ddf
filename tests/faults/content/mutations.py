"""Mutations of a registry's answers: of a JSON document, of bytes, of headers; a random generator chooses."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.scripted.answer import Answer

KIB = 1024
LONG = "a" * 32 * KIB
# JSON values as they are written: some of them cannot be made from a Python value.
VALUES: Sequence[str] = (
    *("null", "true", "0", "-1", "1.5", "1e400", "NaN", "-Infinity", "2147483648", "9223372036854775807"),
    *(
        "9223372036854775808",
        "1" + "0" * 30,
        "9" * 5_000,
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"a\\u0000b\\udc00"',
        "[]",
        "{}",
    ),
    *("[" * 90 + "]" * 90, "[" * 950 + "]" * 950, "[" * 100_000, '{"a":' * 950 + "1" + "}" * 950, "[null]", '["x", 1]'),
    *('"99999-01-01T00:00:00Z"', '"sha256:abc"', f'"sha512:{"0" * 128}"', f'"sha256:{"0" * 64}"', f'"{LONG}"'),
    *(
        '"application/vnd.oci.image.index.v1+json"',
        '"application/vnd.docker.distribution.manifest.v1+json"',
        '"\\u202e"',
    ),
    '"../../../etc/passwd"',
)
DIGESTS = (
    "",
    "sha256:",
    f"sha512:{'0' * 128}",
    f"sha256:{'0' * 64}",
    f"SHA256:{'0' * 64}",
    "\xff\xfe",
    "sha256:" + LONG,
)
NUMBERS = (
    "",
    "-1",
    "0",
    "1",
    "+5",
    "0x10",
    "1" + "0" * 30,
    "9" * 5_000,
    "5, 5",
    "\xb2",
    "1e3",
    "NaN",
    "9223372036854775808",
)
ADDRESSES = (
    *(
        "",
        "/",
        "//",
        "http://[",
        "http://[::1",
        "http://\xff/",
        "https://x:99999/",
        "http://@/",
        "\xe9",
        "/%",
        "?",
        "a" * 300,
    ),
    *(
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "http://xn--/",
        "http://" + "a" * 70 + ".b/",
        "/v2/" + LONG,
        "/%00",
        "mailto:x",
    ),
)
CHALLENGES = (
    *(
        "",
        "Bearer",
        "Basic",
        'Bearer realm="',
        'Bearer realm="http://["',
        "Negotiate abc==",
        "Basic realm=x",
        "\xff",
        "," * 9_000,
    ),
    *(
        'Bearer realm="http://127.0.0.1:1/t",service="\xff\xfe",scope="\xe9:pull"',
        'Bearer realm="' + LONG + '"',
        "Bearer " * 4_000,
    ),
    *(
        'Bearer realm="http://[::1]:99999/",service="x"',
        'Bearer realm="//",scope=":::,,,"',
        'Bearer realm="{self}/token",service="\xfc"',
    ),
    'Bearer realm="{self}/token",service="a",scope="repository:x:pull"',
)
DATES = (
    *(
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "(",
        "Thu, 32 Foo",
        "-5",
        "1e9",
        "9" * 400,
        "\xff",
    ),
    *("0", "1", "Mon, 01 Jan 2001 00:00:00 GMT", LONG),
)
# Values of each header that a reader looks at. `{self}` is the registry's own address.
HEADERS: Mapping[str, Sequence[str]] = {
    "Docker-Content-Digest": DIGESTS,
    "Content-Type": (
        "",
        ";",
        "text/html",
        "application/json",
        "\xff",
        "application/vnd.oci.image.index.v1+json; q=\xe9",
        LONG,
    ),
    "Content-Length": NUMBERS,
    "Content-Range": ("", "bytes 0-5/*", "bytes -1-5/6", f"bytes {'9' * 400}-9/9", "\xff"),
    "Link": (
        "<>;" * 10_000,
        "<",
        '<http://[>; rel="next"',
        "<{self}/v2/x?n=\xff>; rel=next",
        '</v2/_>; rel="next"',
        LONG,
    ),
    "Location": ADDRESSES,
    "WWW-Authenticate": CHALLENGES,
    "Retry-After": DATES,
    "RateLimit-Limit": (*NUMBERS, "100;w=1", "\xff;w=9", ";" * 30_000),
    "RateLimit-Remaining": (*NUMBERS, "0;w=21600"),
    "Content-Encoding": ("gzip", "identity", "\xff"),
    "Transfer-Encoding": ("chunked", "gzip", "\xff", "chunked, chunked"),
    "Set-Cookie": (LONG,),
    "X-Large": ("a" * 40 * KIB,),
}
STATUSES = (
    200,
    201,
    202,
    204,
    206,
    301,
    302,
    304,
    307,
    400,
    401,
    403,
    404,
    405,
    408,
    410,
    412,
    413,
    416,
    418,
    422,
    429,
    500,
    501,
)
MORE_STATUSES = (502, 503, 504, 520, 599)
BODIES: Sequence[bytes] = (
    *(
        b"",
        b"\xff\xfe",
        b"<html>404</html>",
        b"{",
        b"[]",
        b"null",
        b"0",
        b'"x"',
        b"\0" * 100,
        b"9" * 5_000,
        b"[" * 100_000,
    ),
    *(
        b'{"errors": null}',
        b'{"errors": [1, null, {"code": 7}]}',
        b'{"errors": [{"code": "DENIED", "message": "\\u0000\\ud800"}]}',
    ),
    b'{"errors": [{"code": ' + b"[" * 950 + b"]" * 950 + b', "message": {}}]}',
    b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "' + b"x" * 40_000 + b'"}]}',
    b'{"token": "\\u0000"}',
    b'{"token": 7, "access_token": ["x"], "expires_in": 1e400}',
    b'{"token": "t", "expires_in": -1, "issued_at": "99999-01-01T00:00:00Z"}',
    b'{"tags": ["\\ud800", null, {}]}',
    b'{"tags": "latest"}',
    b'{"manifests": [{"digest": 7}]}',
)
_MARK = "fuzz-value"


def mutate_document(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON object with one or two changes; content that is none is changed as bytes."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return mutate_bytes(content, rng)
    for _ in range(rng.choice((1, 1, 2))):
        content = rng.choice((_put_value, _put_value, _put_value, _drop, _repeat_key))(document, rng)
        if not isinstance(document, dict | list):
            break
    return content if rng.random() < 0.9 else mutate_bytes(content, rng)


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return other bytes: some changed, cut, doubled, or replaced altogether."""
    at = rng.randrange(len(content) + 1)
    return rng.choice(
        (
            content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :],
            content[:at],
            content + content,
            content[:at] + b"\xff\0" + content[at:],
            b"\xef\xbb\xbf" + content,
            rng.choice(BODIES),
        )
    )


def mutate_answer(answer: Answer, rng: random.Random, own: str) -> Answer:
    """Return an answer with another header, status or body; `own` is the address of the registry."""
    for change in rng.sample((_set_header, _set_header, _set_status, _set_body), rng.choice((1, 1, 2))):
        answer = change(answer, rng)
    headers = {name: value.replace("{self}", own) for name, value in answer.headers.items()}
    return replace(answer, headers=headers)


def _set_header(answer: Answer, rng: random.Random) -> Answer:
    name = rng.choice(list(HEADERS))
    if name.startswith("RateLimit-"):
        chosen = {each: rng.choice(HEADERS[each]) for each in ("RateLimit-Limit", "RateLimit-Remaining")}
    else:
        chosen = {name: rng.choice(HEADERS[name])}
    kept = {key: value for key, value in answer.headers.items() if key.lower() not in {each.lower() for each in chosen}}
    if name in ("Location", "WWW-Authenticate", "Retry-After"):
        status = {
            "Location": rng.choice((301, 302, 307)),
            "WWW-Authenticate": 401,
            "Retry-After": rng.choice((429, 503)),
        }
        answer = replace(answer, status=status[name])
    return replace(answer, headers=kept if rng.random() < 0.1 else kept | chosen)


def _set_status(answer: Answer, rng: random.Random) -> Answer:
    body = rng.choice(BODIES) if rng.random() < 0.5 else answer.body
    return replace(answer, status=rng.choice((*STATUSES, *MORE_STATUSES)), body=body)


def _set_body(answer: Answer, rng: random.Random) -> Answer:
    return replace(answer, body=mutate_document(answer.body, rng))


def _put_value(document: Any, rng: random.Random) -> bytes:
    places = list(_places(document))
    if not places:
        return rng.choice(VALUES).encode()
    holder, key = rng.choice(places)
    holder[key] = _MARK
    text = json.dumps(document)
    return text.replace(f'"{_MARK}"', rng.choice(VALUES)).encode()


def _drop(document: Any, rng: random.Random) -> bytes:
    places = list(_places(document))
    if places:
        holder, key = rng.choice(places)
        del holder[key]
    return json.dumps(document).encode()


def _repeat_key(document: Any, rng: random.Random) -> bytes:
    text = json.dumps(document)
    if not isinstance(document, dict) or not document:
        return text.encode()
    key = json.dumps(rng.choice(list(document)))
    added = f"{key}: {rng.choice(VALUES)}"
    return (f"{{{added}, {text[1:]}" if rng.random() < 0.5 else f"{text[:-1]}, {added}}}").encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return each key of each object and each position of each list."""
    found: list[tuple[Any, Any]] = []
    left: list[Any] = [value]
    while left:
        holder = left.pop()
        if isinstance(holder, dict | list):
            keys: Sequence[Any] = list(holder) if isinstance(holder, dict) else range(len(holder))
            found += [(holder, key) for key in keys]
            left += [holder[key] for key in keys]
    return found
