"""What the target says of itself, described."""

from api_service.status.target_answers import StatisticsSchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

STATISTICS = Operation(
    id="getStatistics",
    tag="target",
    summary="The target's figures",
    description=(
        "Kept for a minute. While the target is away, the last figures with their age, and a 503 where there are none."
    ),
    answers=(
        Answer(
            description="The figures; `message` says what they leave out.",
            schemas=(StatisticsSchema,),
            examples={"contract": examples.STATISTICS},
        ),
    ),
    codes=codes(Code.TARGET_STATISTICS_UNAVAILABLE),
)
