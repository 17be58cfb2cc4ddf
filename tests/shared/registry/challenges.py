"""Scripted challenges and token services, and an account whose password must not leak."""

import json
from base64 import b64encode
from dataclasses import replace

from shared.model.credential import Credential
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.scripted.received_request import ReceivedRequest

SECRET = "canary-password"
CREDENTIAL = Credential("alice", SECRET)
BASIC = f"Basic {b64encode(f'alice:{SECRET}'.encode()).decode()}"
PING = "/v2/"


def challenge(server: HostileRegistry, *, host: str = "", more: str = "") -> Answer:
    """Require a bearer token of a token service at /token on another scripted server."""
    realm = f"http://{host or server.host}/token"
    value = f'Bearer realm="{realm}",service="reg"{more}'
    return replace(error(401, "UNAUTHORIZED"), headers={"WWW-Authenticate": value})


def token(value: str = "t1", **more: object) -> Answer:
    return Answer(body=json.dumps({"token": value, **more}).encode())


def needs(value: str, otherwise: Answer, answer: Answer | None = None) -> "Gate":
    return Gate(f"Bearer {value}", otherwise, answer or Answer())


class Gate:
    """Sends one response to requests with the right Authorization, and another one to all others."""

    def __init__(self, authorization: str, otherwise: Answer, answer: Answer) -> None:
        self.authorization = authorization
        self._otherwise = otherwise
        self._answer = answer

    def __call__(self, asked: ReceivedRequest) -> Answer:
        return self._answer if asked.headers.get("authorization") == self.authorization else self._otherwise


def canaries(*servers: HostileRegistry) -> list[ReceivedRequest]:
    """Return the requests that carried the password in any form."""
    return [asked for server in servers for asked in server.asked if asked.headers.get("authorization") == BASIC]
