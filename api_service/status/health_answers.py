"""The forms of answers to machines that watch over this one."""

from marshmallow import fields

from api_service.web.openapi.answer_fields import AnswerSchema, choice, flag, text
from shared.runtime.readiness import State


class AliveSchema(AnswerSchema):
    status = choice(("ok",), "The process answers.", required=True)


class PartSchema(AnswerSchema):
    ready = flag("Whether it works.", required=True)
    detail = text("Why it does not.")


class ReadinessSchema(AnswerSchema):
    status = choice(tuple(State), "How the instance stands.", required=True)
    parts = fields.Dict(fields.String(), fields.Nested(PartSchema), required=True)


class DocumentSchema(AnswerSchema):
    openapi = text("The version of OpenAPI.", required=True)
    info = fields.Dict(required=True)
    paths = fields.Dict(required=True)
    components = fields.Dict(required=True)
    servers = fields.List(fields.Dict())
    tags = fields.List(fields.Dict())
