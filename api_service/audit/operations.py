"""The OpenAPI operation about the audit log."""

from api_service.audit.answers import AuditPageSchema
from api_service.audit.requests import AuditQuerySchema
from api_service.web.openapi.operation import Answer, Operation

LIST = Operation(
    id="listAuditEvents",
    tag="audit",
    summary="The audit log",
    description=(
        "One event for each request of a person that changes something, also for refused ones, newest first. Workers' "
        "reports are not in it. The filters compare whole texts. An operation that only previews or checks has a "
        "suffix, such as `importImage:dryRun`."
    ),
    query=AuditQuerySchema,
    answers=(Answer(description="A page of events.", schemas=(AuditPageSchema,)),),
)
