"""Handlers about import rules."""

from http import HTTPStatus

from aiohttp import hdrs, web

from api_service.rules.answers import rule_json, rules_json
from api_service.rules.keys import RULES
from api_service.rules.request import RuleChange
from api_service.rules.requests import NewRuleSchema, RuleChangeSchema
from api_service.web.answers import json_answer
from api_service.web.keys import IDENTITY
from api_service.web.requests import read_body, read_id
from shared.errors.codes import Code
from shared.model.import_rule import RuleValues


async def list_handler(request: web.Request) -> web.Response:
    """GET /import-rules: all that the caller may see, without pages."""
    return json_answer(rules_json(await request.app[RULES].list_for(request[IDENTITY])))


async def create_handler(request: web.Request) -> web.Response:
    """POST /import-rules."""
    wanted: RuleValues = await read_body(request, NewRuleSchema())
    created = await request.app[RULES].create(wanted, request[IDENTITY])
    answer = json_answer(rule_json(created), status=HTTPStatus.CREATED)
    answer.headers[hdrs.LOCATION] = f"{request.path}/{created.stored.rule.id}"
    return answer


async def get_handler(request: web.Request) -> web.Response:
    """GET /import-rules/:id."""
    return json_answer(rule_json(await request.app[RULES].get(_rule_id(request))))


async def change_handler(request: web.Request) -> web.Response:
    """PATCH /import-rules/:id."""
    rule_id = _rule_id(request)
    change: RuleChange = await read_body(request, RuleChangeSchema())
    return json_answer(rule_json(await request.app[RULES].change(rule_id, change)))


async def delete_handler(request: web.Request) -> web.Response:
    """DELETE /import-rules/:id."""
    await request.app[RULES].delete(_rule_id(request))
    return web.Response()


def _rule_id(request: web.Request) -> int:
    return read_id(request, Code.RULE_NOT_FOUND)
