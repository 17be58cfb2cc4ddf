"""Handlers about stored source registries."""

from http import HTTPStatus

from aiohttp import hdrs, web

from api_service.audit.note import note_object
from api_service.registries.answers import registries_json, registry_json, test_json
from api_service.registries.keys import PROBE, REGISTRIES
from api_service.registries.request import NewRegistry, RegistryChange
from api_service.registries.requests import NewRegistrySchema, RegistryChangeSchema
from api_service.web.answers import json_answer
from api_service.web.keys import IDENTITY
from api_service.web.requests import read_body, read_id
from shared.errors.codes import Code


async def list_handler(request: web.Request) -> web.Response:
    """GET /image-registries: all of them, without pages."""
    return json_answer(registries_json(await request.app[REGISTRIES].list_all(), request[IDENTITY]))


async def create_handler(request: web.Request) -> web.Response:
    """POST /image-registries."""
    wanted: NewRegistry = await read_body(request, NewRegistrySchema())
    note_object(wanted.name)
    created = await request.app[REGISTRIES].create(wanted, request[IDENTITY])
    answer = json_answer(registry_json(created, request[IDENTITY]), status=HTTPStatus.CREATED)
    answer.headers[hdrs.LOCATION] = f"{request.path}/{created.stored.id}"
    return answer


async def get_handler(request: web.Request) -> web.Response:
    """GET /image-registries/:id."""
    found = await request.app[REGISTRIES].get(_registry_id(request))
    return json_answer(registry_json(found, request[IDENTITY]))


async def change_handler(request: web.Request) -> web.Response:
    """PATCH /image-registries/:id."""
    registry_id = _registry_id(request)
    change: RegistryChange = await read_body(request, RegistryChangeSchema())
    changed = await request.app[REGISTRIES].change(registry_id, change)
    return json_answer(registry_json(changed, request[IDENTITY]))


async def delete_handler(request: web.Request) -> web.Response:
    """DELETE /image-registries/:id."""
    await request.app[REGISTRIES].delete(_registry_id(request))
    return web.Response()


async def test_handler(request: web.Request) -> web.Response:
    """POST /image-registries/:id:test: a registry's failure is a result, not an error."""
    return json_answer(test_json(await request.app[PROBE].run(_registry_id(request), request[IDENTITY])))


def _registry_id(request: web.Request) -> int:
    return read_id(request, Code.REGISTRY_NOT_FOUND)
