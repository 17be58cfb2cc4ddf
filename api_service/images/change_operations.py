"""What an image's owner may do to it, described."""

from api_service.images.answers import DetailsSchema
from api_service.imports.answers import ImportAnswerSchema, RefusalSchema
from api_service.imports.retry_schema import RetrySchema
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

# What any request to the target may end with.
_OF_THE_TARGET = codes(
    Code.TARGET_DENIED,
    Code.TARGET_NOT_FOUND,
    Code.TARGET_PROTOCOL_ERROR,
    Code.TARGET_RATE_LIMITED,
    Code.TARGET_STALLED,
    Code.TARGET_TLS_FAILED,
    Code.TARGET_UNAVAILABLE,
    Code.TARGET_UNREACHABLE,
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
        Code.IMAGE_NOT_FOUND,
        Code.IMAGE_BEING_DELETED,
        Code.IMPORT_FINISHING,
        Code.DELETION_UNFINISHED,
        Code.TARGET_ARTIFACT_REFERENCED,
        Code.TARGET_DELETE_REFUSED,
        Code.TARGET_IMMUTABLE_TAG,
        Code.TARGET_PROJECT_MISSING,
        Code.TARGET_READ_ONLY,
        Code.TARGET_REFUSED,
    ),
)
CANCEL = Operation(
    id="cancelImport",
    tag="images",
    summary="Cancel the import under way",
    description="For the image's owner and admins. An image that was ready before stays so.",
    answers=(Answer(description="How the import stands now.", schemas=(DetailsSchema,)),),
    codes=codes(Code.IMAGE_NOT_FOUND, Code.IMPORT_NOT_OPEN, Code.IMPORT_FINISHING),
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
        Code.IMAGE_NOT_FOUND,
        Code.IMAGE_BEING_DELETED,
        Code.IMPORT_NOT_RETRYABLE,
        Code.CREDENTIALS_UNREADABLE,
        Code.DOCKER_SOURCE_DISABLED,
    ),
    problem=RefusalSchema,
)
