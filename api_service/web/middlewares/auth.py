"""Authorization: a request needs one of its route's roles; a route without roles rejects every caller."""

import re
import time
from datetime import UTC, datetime

import structlog
from aiohttp import hdrs, web

from api_service.auth.identity import Identity
from api_service.auth.jwt_verifier import looks_like_jwt
from api_service.auth.keys import JWT, TOKENS
from api_service.web.keys import IDENTITY, ROUTES
from api_service.web.route import Handler
from shared.db.access.tokens import TokenState
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role

# Between two checks of a JWT's signature for one event stream; its end is checked each time. Seconds.
JWT_CHECK_INTERVAL = 1.0
# RFC 6750, b64token. An API token has 47 characters, a JWT with many groups in it thousands; the server itself takes
# header lines of 8 KiB.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{1,8192}) *")


@web.middleware
async def auth_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pass public routes, and requests with a valid token whose role the route allows."""
    if request.match_info.http_exception is not None:
        return await handler(request)
    route = request.app[ROUTES].get(request.match_info.handler)
    if route is None:
        raise LongshoreError(Code.FORBIDDEN, "This route rejects every caller.")
    if route.roles is not None:
        request[IDENTITY] = identity = await _identify(request)
        _check_role(identity, route.roles)
        with structlog.contextvars.bound_contextvars(user=identity.user):
            return await handler(request)
    return await handler(request)


class StreamReader:
    """The caller of a request that outlives its first check: its token may be revoked, expire, or lose its role."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._first = self._last = request[IDENTITY]
        self._checked = time.monotonic()

    async def identity(self) -> Identity | None:
        """Return the caller as the token names him now, or None if it is refused, or names another user or role.

        Raises the errors of a database or issuer that is away. API tokens are cached by their lookup; a signature is
        checked once in JWT_CHECK_INTERVAL, because it costs as much as all other work for an event.
        """
        now = time.monotonic()
        if self._is_signed_and_fresh(now):
            return self._last
        try:
            found = await _identify(self._request)
        except LongshoreError as error:
            if error.code in (Code.UNAUTHENTICATED, Code.TOKEN_EXPIRED):
                return None
            raise
        if found.role is not self._first.role or found.owner != self._first.owner:
            return None
        self._last, self._checked = found, now
        return found

    def _is_signed_and_fresh(self, now: float) -> bool:
        if self._last.token_id is not None or self._last.expires_at is None:
            return False
        return now - self._checked < JWT_CHECK_INTERVAL and datetime.now(UTC) < self._last.expires_at


async def _identify(request: web.Request) -> Identity:
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None:
        raise LongshoreError(Code.UNAUTHENTICATED, "The request has no Authorization header.")
    match = _BEARER.fullmatch(header)
    if match is None:
        raise LongshoreError(Code.UNAUTHENTICATED, "The Authorization header is not of the form `Bearer <token>`.")
    verifier = request.app.get(JWT)
    if verifier and looks_like_jwt(match[1]):
        return await verifier.identify(match[1])
    token = await request.app[TOKENS].find(match[1])
    # A revoked token gets the same answer as an unknown one.
    if token is None or token.state is TokenState.REVOKED:
        raise LongshoreError(Code.UNAUTHENTICATED, "The API token is unknown.")
    if token.state is TokenState.EXPIRED:
        raise LongshoreError(Code.TOKEN_EXPIRED, "The API token has expired.")
    return Identity(
        user=token.user_name,
        role=token.role,
        issuer=token.issuer,
        subject=token.subject,
        groups=frozenset(token.groups),
        token_id=token.id,
        expires_at=token.expires_at,
    )


def _check_role(identity: Identity, roles: frozenset[Role]) -> None:
    if identity.role not in roles:
        fitting = " or ".join(sorted(role.value for role in roles))
        raise LongshoreError(
            Code.FORBIDDEN, f"This needs the role {fitting}; the token's role is {identity.role.value}."
        )
