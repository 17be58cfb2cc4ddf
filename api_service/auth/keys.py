"""AppKeys of the parts that identify a caller."""

from aiohttp import web

from api_service.auth.jwt_verifier import JwtVerifier
from api_service.auth.token_lookup import TokenLookup

TOKENS = web.AppKey("TOKENS", TokenLookup)
JWT = web.AppKey("JWT", JwtVerifier)
