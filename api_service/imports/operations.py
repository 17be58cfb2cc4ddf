"""Imports, described: starting, cancelling and retrying them, and reporting on them."""

from api_service.images.answers import DetailsSchema
from api_service.imports.answers import DryRunAnswerSchema, ImportAnswerSchema, RefusalSchema, ReportAnswerSchema
from api_service.imports.requests import ImportSchema
from api_service.imports.retry_schema import RetrySchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code, Side
from shared.errors.kinds import ERROR_KINDS
from shared.messages.progress_report import ProgressReportSchema

# The source is asked while the caller waits; a dry run asks the target, too.
_OF_BOTH_ENDS = frozenset(kind.code for kind in ERROR_KINDS.values() if kind.side is not Side.LONGSHORE)

_OF_THE_IMAGE = dict.fromkeys(
    ("getImage", "getImportingDetails", "cancelImport", "retryImport", "deleteImage"), ("id", "imageId")
)

START = Operation(
    id="importImage",
    tag="images",
    summary="Import an image",
    description=(
        "Starts an import, joins the one under way, or says that the image is there. The source is looked up before "
        "the answer, so that a mistake is told at once. Longer than the answer takes only the copying: follow it with "
        "`importing-details`. With `dryRun`, says what would happen and does nothing."
    ),
    body=ImportSchema,
    body_examples={"contract": examples.IMPORT_REQUEST},
    answers=(
        Answer(
            description="Started, joined, or there already.",
            schemas=(ImportAnswerSchema, DryRunAnswerSchema),
            examples={"started": examples.IMPORT_STARTED},
            links=_OF_THE_IMAGE | {"reportProgress": ("name", "name")},
        ),
    ),
    codes=_OF_BOTH_ENDS
    | codes(
        Code.REFERENCE_MALFORMED,
        Code.SOURCE_REGISTRY_CONFLICT,
        Code.DOCKER_SOURCE_DISABLED,
        Code.IMPORT_CONFLICT,
        Code.IMAGE_BEING_DELETED,
        Code.CREDENTIALS_UNREADABLE,
        Code.DRY_RUN_TIMEOUT,
    ),
    problem=RefusalSchema,
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
REPORT = Operation(
    id="reportProgress",
    tag="workers",
    summary="Report an import's progress",
    description=(
        "Reports are merged: within an attempt nothing goes back, an older report changes nothing, and one of another "
        "attempt than the running one is a 409 that tells its worker to stop. Each renews the worker's lease. `error` "
        "goes with the state failed and only with it, `content` with ready, `tagDigest` with tagging."
    ),
    body=ProgressReportSchema,
    answers=(Answer(description="Go on, or stop.", schemas=(ReportAnswerSchema,)),),
    codes=codes(Code.IMPORT_NOT_FOUND, Code.IMPORT_SUPERSEDED, Code.REPOSITORY_BUSY),
)
