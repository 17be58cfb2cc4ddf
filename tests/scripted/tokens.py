"""A token service, and a registry's trust in it (distribution's token authentication)."""

import re
import secrets
import time
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from tests.scripted.answer import Answer, as_json, refusal
from tests.scripted.received_request import ReceivedRequest

SERVICE = "scripted"
_REPOSITORY = re.compile(r"/v2/(.+)/(?:blobs|manifests|tags|referrers)/.*")
_READS = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token; `ends` is on the monotonic clock, in seconds."""

    value: str
    account: str | None
    scopes: frozenset[str]
    ends: float


@dataclass
class TokenService:
    """Issues tokens to accounts (name to password), and to every client if there are no accounts.

    A token is valid for `lifetime` seconds. If `stated` is set, the answer states that lifetime instead, or none if it
    is None. Every token begins with `canary`, so that a test can search for tokens.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    lifetime: float = 300.0
    stated: Any = "lifetime"
    member: str = "token"
    canary: str = "token-canary"
    issued: list[Issued] = field(default_factory=list)

    def answer(self, asked: ReceivedRequest) -> Answer:
        """Respond to a token request."""
        account = self._account(asked)
        if self.accounts and account is None:
            return refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", "incorrect username or password")
        scopes = frozenset(scope for text in parse_qs(asked.query).get("scope", []) for scope in text.split())
        value = f"{self.canary}-{secrets.token_hex(8)}"
        self.issued.append(Issued(value=value, account=account, scopes=scopes, ends=time.monotonic() + self.lifetime))
        stated = self.lifetime if self.stated == "lifetime" else self.stated
        return as_json({self.member: value} | ({} if stated is None else {"expires_in": stated}))

    def revoke(self) -> None:
        """Revoke every token issued so far."""
        self.issued = [Issued(value=old.value, account=old.account, scopes=old.scopes, ends=0.0) for old in self.issued]

    def challenge(self, asked: ReceivedRequest, realm: str) -> Answer | None:
        """Return the refusal of a request without a valid token; None if its token is valid."""
        value = (asked.authorization or "").removeprefix("Bearer ")
        token = next((token for token in self.issued if token.value == value), None)
        wanted = _wanted(asked)
        good = token is not None and token.ends > time.monotonic()
        if token and good and (wanted is None or _covers(token.scopes, wanted)):
            return None
        said = f',scope="{wanted}"' if wanted else ""
        return refusal(
            HTTPStatus.UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
            WWW_Authenticate=f'Bearer realm="{realm}",service="{SERVICE}"{said}',
        )

    def _account(self, asked: ReceivedRequest) -> str | None:
        scheme, _, encoded = (asked.authorization or "").partition(" ")
        if scheme != "Basic":
            return None
        name, _, password = b64decode(encoded).decode().partition(":")
        return name if name in self.accounts and self.accounts[name] == password else None


def _wanted(asked: ReceivedRequest) -> str | None:
    found = _REPOSITORY.fullmatch(asked.path)
    if found is None:
        return None
    actions = "pull" if asked.method in _READS else "delete" if asked.method == "DELETE" else "pull,push"
    # Reading and ending a session are part of the push.
    actions = "pull,push" if "/blobs/uploads/" in asked.path else actions
    return f"repository:{found[1].removesuffix('/blobs')}:{actions}"


def _covers(scopes: frozenset[str], wanted: str) -> bool:
    resource, _, actions = wanted.rpartition(":")
    given = {
        action
        for scope in scopes
        if scope.rpartition(":")[0] == resource
        for action in scope.rpartition(":")[2].split(",")
    }
    return set(actions.split(",")) <= given
