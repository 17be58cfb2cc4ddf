"""Authorization: a request needs one of its route's roles; a route without roles rejects every caller."""

import re

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


async def is_still_valid(request: web.Request) -> bool:
    """Return whether the request's token is still accepted; raises the errors of a database or issuer that is away."""
    try:
        identity = await _identify(request)
    except LongshoreError as error:
        if error.code in (Code.UNAUTHENTICATED, Code.TOKEN_EXPIRED):
            return False
        raise
    return identity.role is request[IDENTITY].role and identity.owner == request[IDENTITY].owner


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
