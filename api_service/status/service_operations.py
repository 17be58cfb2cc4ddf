"""Health and the description itself, described."""

from http import HTTPStatus

from api_service.status.health_answers import AliveSchema, DocumentSchema, ReadinessSchema
from api_service.status.identity_answers import IdentitySchema
from api_service.status.operations_answers import OperationsSchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "service"

ALIVE = Operation(
    id="alive",
    tag=_TAG,
    summary="Whether the process answers",
    answers=(Answer(description="It does.", schemas=(AliveSchema,)),),
)
READY = Operation(
    id="ready",
    tag=_TAG,
    summary="Whether requests are to be sent here, and which parts work",
    description=(
        "`degraded`: requests are answered and imports accepted, though RabbitMQ or the target is away; `unready`: the "
        "database or its schema is; `stopping`: this instance ends soon."
    ),
    answers=(
        Answer(description="`ready` or `degraded`.", schemas=(ReadinessSchema,)),
        Answer(
            description="`unready` or `stopping`.", schemas=(ReadinessSchema,), status=HTTPStatus.SERVICE_UNAVAILABLE
        ),
    ),
)
WHOAMI = Operation(
    id="whoAmI",
    tag=_TAG,
    summary="Whom the token stands for",
    description="Open to every role, so that a client can tell a wrong token from one with another role.",
    answers=(Answer(description="The user and the role.", schemas=(IdentitySchema,)),),
)
OPERATIONS = Operation(
    id="getOperations",
    tag=_TAG,
    summary="How the queue stands, and who works on it",
    description="The database's figures are of this moment, RabbitMQ's some seconds old.",
    answers=(Answer(description="The figures.", schemas=(OperationsSchema,)),),
)
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
    answers=(Answer(description="The page; it needs nothing from elsewhere.", texts=("text/html",)),),
)
PAGE_FILE = Operation(
    id="getPageFile",
    tag=_TAG,
    summary="A file of the page",
    answers=(Answer(description="The file.", texts=("text/css", "text/javascript")),),
    codes=codes(Code.ROUTE_NOT_FOUND),
)
