"""What an image's owner may do to it, described."""

from api_service.openapi.image_answers import DetailsSchema
from api_service.openapi.import_answers import ImportAnswerSchema, RefusalSchema
from api_service.openapi.operation import Answer, Operation, codes
from api_service.retry_schema import RetrySchema

# What any request to the target may end with.
_OF_THE_TARGET = codes(
    "target_denied",
    "target_not_found",
    "target_protocol_error",
    "target_rate_limited",
    "target_stalled",
    "target_tls_failed",
    "target_unavailable",
    "target_unreachable",
)

DELETE = Operation(
    id="deleteImage",
    tag="images",
    summary="Delete an image",
    description=(
        "For its owner and admins. An import under way is stopped first. The tag goes from the target, and what it "
        "pointed to where nothing else there needs it; no other tag is ever lost. What the target does not allow is a "
        "409 that says why. Where the target is slow, 504 `deletion_unfinished` says that the deletion goes on."
    ),
    answers=(
        Answer(
            description="It is gone. The body is empty.",
            headers={"X-Longshore-Removed": "What went from the target: `manifest`, `tag` or `nothing`."},
        ),
    ),
    codes=_OF_THE_TARGET
    | codes(
        "image_not_found",
        "image_being_deleted",
        "import_finishing",
        "deletion_unfinished",
        "target_artifact_referenced",
        "target_delete_refused",
        "target_immutable_tag",
        "target_project_missing",
        "target_read_only",
        "target_refused",
    ),
)
CANCEL = Operation(
    id="cancelImport",
    tag="images",
    summary="Cancel the import under way",
    description="For the image's owner and admins. An image that was ready before stays so.",
    answers=(Answer(description="How the import stands now.", schemas=(DetailsSchema,)),),
    codes=codes("image_not_found", "import_not_open", "import_finishing"),
)
RETRY = Operation(
    id="retryImport",
    tag="images",
    summary="Try a failed or cancelled import again",
    description=(
        "For the image's owner and admins: the same source, platforms and, as a rule, the very digest. Credentials of "
        "the first request are gone by now; send them again, or the name of a stored registry."
    ),
    body=RetrySchema,
    body_required=False,
    answers=(Answer(description="Started again.", schemas=(ImportAnswerSchema,)),),
    codes=codes(
        "image_not_found",
        "image_being_deleted",
        "import_not_retryable",
        "credentials_unreadable",
        "docker_source_disabled",
    ),
    problem=RefusalSchema,
)
