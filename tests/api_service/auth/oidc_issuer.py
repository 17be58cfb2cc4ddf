"""An OIDC issuer in the test process: its configuration, its keys, and valid or invalid tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import Key, RSAKey

from api_service.auth.oidc_settings import DEFAULT_ALGORITHMS, DEFAULT_MAX_TOKEN, OidcSettings
from shared.network.policy import NetworkPolicy
from tests.api_service.api import BASE, Answer, Api

AUDIENCE = "longshore"
LIST = f"{BASE}/images"
LIFETIME = 300


def rsa_key(kid: str, *, bits: int = 2048) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": kid, "use": "sig"})


@dataclass
class Issuer:
    """Counts its requests. `down` makes it answer 503; `answers` replaces the answer of a path."""

    keys: list[Key] = field(default_factory=lambda: [rsa_key("one")])
    down: bool = False
    answers: dict[str, web.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    delay: float = 0.0
    url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Issuer"]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        async with TestServer(app) as server:
            self.url = f"http://127.0.0.1:{server.port}"
            yield self

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await asyncio.sleep(self.delay)
        if self.down:
            return web.Response(status=503)
        if request.path in self.answers:
            return self.answers.pop(request.path)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        published: list[dict[str, Any]] = [key.as_dict(private=False) for key in self.keys]
        return web.json_response({"keys": published})

    def settings(self, **changes: Any) -> OidcSettings:
        host = self.url.removeprefix("http://")
        values: dict[str, Any] = {
            "issuer": self.url,
            "audience": AUDIENCE,
            "jwks_url": None,
            "algorithms": tuple(DEFAULT_ALGORITHMS),
            "user_claim": None,
            "roles_claim": "realm_access.roles",
            "groups_claim": "groups",
            "admin_values": frozenset({"longshore-admin"}),
            "worker_values": frozenset(),
            "max_token": DEFAULT_MAX_TOKEN,
            "network": NetworkPolicy.of(allowed_private=[host], plain_http=[host]),
        }
        return OidcSettings(**values | changes)

    def claims(self, user: str = "ada", **changes: Any) -> dict[str, Any]:
        """Return valid claims with the given changes; None removes a claim."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"sub-of-{user[:100]}",
            "preferred_username": user,
            "iat": now,
            "exp": now + LIFETIME,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self,
        user: str = "ada",
        *,
        roles: list[str] | None = None,
        key: Key | None = None,
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Sign claims with the given key, by default the first one."""
        key = key or self.keys[0]
        access = {"realm_access": {"roles": roles}} if roles else {}
        alg = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519", "oct": "HS256"}[key.key_type]
        given = {"alg": alg, "kid": key.kid, **(header or {})}
        return jwt.encode(
            {name: value for name, value in given.items() if value is not None},
            self.claims(user, **access, **changes),
            key,
            algorithms=[str(given["alg"])],
        )


async def answer_to(api: Api, token: str) -> Answer:
    return await api.call("GET", LIST, token=token)


async def refusal(api: Api, token: str) -> str:
    """Return the error code; every refusal is a 401 with a challenge."""
    answer = await answer_to(api, token)
    assert (answer.status, "WWW-Authenticate" in answer.headers) == (401, True), answer
    return answer.code
