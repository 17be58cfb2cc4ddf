"""The OpenAPI operations that serve the document itself and its page."""

from marshmallow import fields

from api_service.web.answers import AnswerSchema, text
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "service"


class DocumentSchema(AnswerSchema):
    openapi = text("The version of OpenAPI.", required=True)
    info = fields.Dict(required=True)
    paths = fields.Dict(required=True)
    components = fields.Dict(required=True)
    servers = fields.List(fields.Dict())
    tags = fields.List(fields.Dict())


DOCUMENT = Operation(
    id="getDescription",
    tag=_TAG,
    summary="This document",
    answers=(Answer(description="OpenAPI 3.1.", schemas=(DocumentSchema,)),),
)
PAGE = Operation(
    id="getPage",
    tag=_TAG,
    summary="This document as a page",
    answers=(Answer(description="The page; it loads nothing from other hosts.", texts=("text/html",)),),
)
PAGE_FILE = Operation(
    id="getPageFile",
    tag=_TAG,
    summary="A file of the page",
    answers=(Answer(description="The file.", texts=("text/css", "text/javascript")),),
    codes=codes(Code.ROUTE_NOT_FOUND),
)
