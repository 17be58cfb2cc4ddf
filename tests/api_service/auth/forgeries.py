"""Tokens that the API must refuse: known attacks on JWT libraries and their users, and accidents."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api_service.auth.jwt_claims import LEEWAY
from tests.api_service.auth.oidc_issuer import Issuer, rsa_key


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forged(header: dict[str, Any], issuer: Issuer) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(issuer.claims()).encode())}."


def with_public_key_as_secret(issuer: Issuer) -> str:
    """HS256 with the published key as its secret; it passes a check that takes the algorithm from the token."""
    key = issuer.keys[0]
    assert isinstance(key, RSAKey)
    secret = OctKey.import_key(encoded(key.as_pem(private=False)), {"kid": "one"})
    return jwt.encode({"alg": "HS256", "kid": "one"}, issuer.claims("admin"), secret)


def deep(levels: int, name: bytes = b"kid") -> str:
    """Return a header that Python's reader takes, and that a recursive walk over it cannot; with an escape in it."""
    nested = b"[" * levels + b'"\\u0041"' + b"]" * levels
    return encoded(b'{"alg":"RS256","' + name + b'":' + nested + b"}")


def with_own_key(issuer: Issuer, name: str) -> str:
    mine = rsa_key("one")
    return issuer.token(key=mine, header={name: mine.as_dict(private=False)})


def with_payload(issuer: Issuer, claims: dict[str, Any]) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{encoded(json.dumps(claims).encode())}.{signature}"


def jwt_of(issuer: Issuer, payload: bytes) -> str:
    return jws.serialize_compact({"alg": "RS256", "kid": "one"}, payload, issuer.keys[0])


# Each function makes a token from the issuer.
FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "another issuer": lambda issuer: issuer.token(iss="https://accounts.example.com"),
    "an issuer with a longer name": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "an issuer in a list": lambda issuer: issuer.token(iss=[issuer.url]),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "another audience": lambda issuer: issuer.token(aud="harbor"),
    "a part of the audience": lambda issuer: issuer.token(aud="longshore-2"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "no audience in the list": lambda issuer: issuer.token(aud=[]),
    "no end": lambda issuer: issuer.token(exp=None),
    "an end that is a text": lambda issuer: issuer.token(exp=str(int(time.time()) + 60)),
    "an end that is true": lambda issuer: issuer.token(exp=True),
    "not yet valid": lambda issuer: issuer.token(nbf=int(time.time()) + LEEWAY + 10),
    "made in the future": lambda issuer: issuer.token(iat=int(time.time()) + LEEWAY + 10),
    "a beginning that is a list": lambda issuer: issuer.token(nbf=[]),
    "no user": lambda issuer: issuer.token(preferred_username=None, sub=None),
    "a user that is a number": lambda issuer: issuer.token(preferred_username=7),
    "an empty user": lambda issuer: issuer.token(preferred_username=""),
    "a long user": lambda issuer: issuer.token("a" * 129),
    "a user with a line break": lambda issuer: issuer.token("ada\nadmin"),
    "an unknown critical extension": lambda issuer: issuer.token(header={"crit": ["b64"], "b64": True}),
    "an unknown key": lambda issuer: issuer.token(header={"kid": "two"}),
    "a key's name that is a number": lambda issuer: forged({"alg": "RS256", "kid": 1}, issuer),
    "somebody else's key": lambda issuer: issuer.token(key=rsa_key("one")),
    "a logout token": lambda issuer: issuer.token(header={"typ": "logout+jwt"}),
    "another algorithm than the list's": lambda issuer: issuer.token(header={"alg": "RS512"}),
    "another kind of key": lambda issuer: issuer.token(key=ECKey.generate_key("P-256", {"kid": "one"})),
    "no signature": lambda issuer: forged({"alg": "none"}, issuer),
    "no signature, oddly spelt": lambda issuer: forged({"alg": "nOnE"}, issuer),
    "no signature for RS256": lambda issuer: forged({"alg": "RS256", "kid": "one"}, issuer),
    "no algorithm": lambda issuer: forged({"kid": "one"}, issuer),
    "algorithms in a list": lambda issuer: forged({"alg": ["RS256"]}, issuer),
    "the public key as shared secret": with_public_key_as_secret,
    "its own key in the header": lambda issuer: with_own_key(issuer, "jwk"),
    "an encrypted token": lambda issuer: f"{issuer.token()}.a.b",
    "a changed payload": lambda issuer: with_payload(issuer, issuer.claims("admin")),
    "a payload that is a list": lambda issuer: jwt_of(issuer, b"[]"),
    "a payload with a claim twice": lambda issuer: jwt_of(
        issuer, json.dumps(issuer.claims()).replace("{", '{"aud": "x",', 1).encode()
    ),
    "a header that is no object": lambda issuer: f"{encoded(b'1')}.{encoded(b'{}')}.x",
    "a header that is a text": lambda issuer: encoded(b'"alg"') + ".e30.x",
    "a header that is no JSON": lambda issuer: f"{encoded(bytes([255]))}..",
    "a header with NUL": lambda issuer: forged({"alg": "RS256", "kid": "\0"}, issuer),
    "only dots": lambda _: "..",
    "a deep header": lambda _: f"{encoded(b'[' * 3000)}.e30.x",
    "a header nested 900 deep": lambda _: f"{deep(900)}.e30.x",
    "a header whose type is nested 900 deep": lambda _: f"{deep(900, b'typ')}.e30.x",
}
