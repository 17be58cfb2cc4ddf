"""The OpenAPI operations about the service and the target."""

from http import HTTPStatus

from api_service.status.answers import AliveSchema, IdentitySchema, OperationsSchema, ReadinessSchema, StatisticsSchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "service"

ALIVE = Operation(
    id="alive",
    tag=_TAG,
    summary="Whether the process answers",
    answers=(Answer(description="The process answers.", schemas=(AliveSchema,)),),
)
READY = Operation(
    id="ready",
    tag=_TAG,
    summary="Whether this instance takes requests, and which parts work",
    description=(
        "`degraded`: the API answers requests and accepts imports although RabbitMQ or the target is unreachable; "
        "`unready`: the database is unreachable or its schema is not this version's; `stopping`: this instance ends "
        "soon."
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
    summary="The token's user, role and end",
    description="Open to every role, so that a client can distinguish a wrong token from one with another role.",
    answers=(Answer(description="The user and the token.", schemas=(IdentitySchema,)),),
)
OPERATIONS = Operation(
    id="getOperations",
    tag=_TAG,
    summary="The queue and the workers",
    description="The database's figures are current, RabbitMQ's are some seconds old.",
    answers=(Answer(description="The figures.", schemas=(OperationsSchema,)),),
)
STATISTICS = Operation(
    id="getStatistics",
    tag="target",
    summary="The target's figures",
    description=(
        "Cached for a minute. While the target is unreachable, the API answers with the last figures and their age, or "
        "with a 503 if it has none."
    ),
    answers=(
        Answer(
            description="The figures; `message` states their limits.",
            schemas=(StatisticsSchema,),
            examples={"contract": examples.STATISTICS},
        ),
    ),
    codes=codes(Code.TARGET_STATISTICS_UNAVAILABLE),
)
