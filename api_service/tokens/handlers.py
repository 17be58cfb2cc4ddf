"""Handlers about API tokens."""

from http import HTTPStatus

from aiohttp import web

from api_service.tokens.answers import created_json, tokens_json
from api_service.tokens.keys import API_TOKENS
from api_service.tokens.request import TokenQuery, TokenRequest
from api_service.tokens.requests import NewTokenSchema, TokenQuerySchema
from api_service.web.answers import json_answer
from api_service.web.keys import IDENTITY
from api_service.web.requests import read_body, read_id, read_query
from shared.errors.codes import Code

_QUERY = TokenQuerySchema()


async def list_handler(request: web.Request) -> web.Response:
    """GET /tokens."""
    query: TokenQuery = read_query(request.rel_url.raw_query_string, _QUERY)
    by = request[IDENTITY]
    return json_answer(tokens_json(await request.app[API_TOKENS].list(query, by), by))


async def create_handler(request: web.Request) -> web.Response:
    """POST /tokens."""
    wanted: TokenRequest = await read_body(request, NewTokenSchema())
    by = request[IDENTITY]
    created = await request.app[API_TOKENS].create(wanted, by)
    return json_answer(created_json(created, by), status=HTTPStatus.CREATED)


async def revoke_handler(request: web.Request) -> web.Response:
    """DELETE /tokens/:id."""
    await request.app[API_TOKENS].revoke(read_id(request, Code.TOKEN_NOT_FOUND), request[IDENTITY])
    return web.Response()
