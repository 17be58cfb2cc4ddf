"""Harbor's token service (src/core/service/token), and the rights of its tokens.

Harbor's tokens are signed JWTs; these have the same claims under a MAC, because no client reads them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from deploy.local.servers.harbor.caller import Caller
from deploy.local.servers.harbor.errors import unauthorized
from deploy.local.servers.harbor.state import State

SERVICE = "harbor-registry"
# Seconds; Harbor's default token_expiration is 30 minutes.
LIFETIME = 1800
ACTIONS = ("pull", "push", "delete")
KEY_BYTES = 32


class Tokens:
    """Creates tokens and verifies them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._key = secrets.token_bytes(KEY_BYTES)

    def create(self, caller: Caller, scopes: list[str]) -> dict[str, Any]:
        """Answer GET /service/token: all rights of the caller in the scopes' repositories, also unrequested ones."""
        if not caller.name and not scopes:
            raise unauthorized("")
        access = dict(filter(None, (self._access(caller, scope) for scope in scopes)))
        claims = {"sub": caller.name, "access": access, "exp": time.time() + LIFETIME}
        issued = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": self._sign(claims), "access_token": "", "expires_in": LIFETIME, "issued_at": issued}

    def read(self, token: str) -> Caller:
        """Return the bearer; anonymous for an invalid or expired token."""
        payload, _, mac = token.partition(".")
        if not hmac.compare_digest(mac, self._mac(payload)):
            return Caller()
        claims = json.loads(base64.urlsafe_b64decode(payload))
        if claims["exp"] < time.time():
            return Caller()
        # By project, as in src/common/security/v2token/context.go.
        rights = {name.partition("/")[0]: frozenset(actions) for name, actions in claims["access"].items()}
        return Caller(name=claims["sub"], robot=True, rights=rights)

    def _access(self, caller: Caller, scope: str) -> tuple[str, list[str]] | None:
        kind, _, rest = scope.partition(":")
        name = rest.rpartition(":")[0]
        project = self._state.projects.get(name.partition("/")[0])
        if kind != "repository" or not name:
            return None
        return name, [action for action in ACTIONS if project and caller.can(action, project)]

    def _sign(self, claims: dict[str, Any]) -> str:
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
        return f"{payload}.{self._mac(payload)}"

    def _mac(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode(), hashlib.sha256).hexdigest()
