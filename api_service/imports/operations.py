"""OpenAPI operations: start, cancel and retry an import, and report on one."""

from api_service.images.answers import DetailsSchema
from api_service.imports.answers import (
    DryRunAnswerSchema,
    ImportAnswerSchema,
    RefusalSchema,
    ReportAnswerSchema,
    RuleCheckAnswerSchema,
    StopSchema,
)
from api_service.imports.requests import ImportSchema, RetrySchema, RuleCheckSchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code, Side
from shared.errors.kinds import ERROR_KINDS
from shared.messages.attempt_start import (
    AdmittedSchema,
    AttemptStartSchema,
    AttemptTermsSchema,
    ImageAdmissionSchema,
)
from shared.messages.progress_report import ProgressReportSchema

# The API asks the source while the caller waits, and for a dry run the target, too.
_OF_BOTH_ENDS = frozenset(kind.code for kind in ERROR_KINDS.values() if kind.side is not Side.LONGSHORE)

# The import rules are asked before anything else, and with the image's size and the target's tag.
_OF_RULES = codes(
    Code.SOURCE_NOT_ALLOWED,
    Code.TARGET_NOT_ALLOWED,
    Code.LIMIT_REACHED,
    Code.IMPORT_LIMIT_REACHED,
    Code.TARGET_TAG_FOREIGN,
)
_OF_TARGET = frozenset(kind.code for kind in ERROR_KINDS.values() if kind.side is Side.TARGET)

_OF_THE_IMAGE = dict.fromkeys(
    ("getImage", "getImportingDetails", "cancelImport", "retryImport", "deleteImage"), ("id", "imageId")
)

START = Operation(
    id="importImage",
    tag="images",
    summary="Import an image",
    description=(
        "Starts an import, joins the import under way, or answers that the target has the image. An import rule has to "
        "allow the source and the target; admins need none. The API looks the "
        "source up before it answers, so that mistakes are reported at once. The copying goes on after the answer: "
        "follow it with `importing-details`. With `dryRun`, reports what the import would do, and changes nothing."
    ),
    body=ImportSchema,
    body_examples={"contract": examples.IMPORT_REQUEST},
    answers=(
        Answer(
            description="Started, joined, or already in the target.",
            schemas=(ImportAnswerSchema, DryRunAnswerSchema),
            examples={"started": examples.IMPORT_STARTED},
            links=_OF_THE_IMAGE | {"reportProgress": ("name", "name")},
        ),
    ),
    codes=_OF_BOTH_ENDS
    | _OF_RULES
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
CHECK_RULES = Operation(
    id="checkImportRules",
    tag="import rules",
    summary="Check an import against the rules",
    description=(
        "Says which rule allows an import, or why none does, by the names of the source and the target alone: neither "
        "of them is asked, and nothing is written. Admins may check for another user."
    ),
    body=RuleCheckSchema,
    answers=(Answer(description="Whether a rule allows it.", schemas=(RuleCheckAnswerSchema,)),),
    codes=codes(
        Code.REFERENCE_MALFORMED,
        Code.SOURCE_REGISTRY_CONFLICT,
        Code.DOCKER_SOURCE_DISABLED,
        Code.TARGET_NOT_ALLOWED,
    ),
)
CANCEL = Operation(
    id="cancelImport",
    tag="images",
    summary="Cancel the import under way",
    description="For the image's owner and admins. An image that was ready before stays ready.",
    answers=(Answer(description="The import's state now.", schemas=(DetailsSchema,)),),
    codes=codes(Code.IMAGE_NOT_FOUND, Code.IMPORT_NOT_OPEN, Code.IMPORT_FINISHING),
)
RETRY = Operation(
    id="retryImport",
    tag="images",
    summary="Try a failed or cancelled import again",
    description=(
        "For the image's owner and admins: imports the same source, platforms and, if possible, digest, if an import "
        "rule still allows that. The "
        "credentials of the first request were deleted when its import ended; send them again, or the name of a stored "
        "registry."
    ),
    body=RetrySchema,
    body_required=False,
    answers=(Answer(description="Started again.", schemas=(ImportAnswerSchema,)),),
    codes=_OF_RULES
    | codes(
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
        "The API merges reports: progress never decreases within an attempt, an older report changes nothing, and a "
        "report of any attempt but the running one gets a 409, on which its worker stops. Each report renews the "
        "worker's lease. `error` belongs to the state failed, `content` to ready, `tagDigest` to tagging."
    ),
    body=ProgressReportSchema,
    answers=(Answer(description="Whether the worker goes on.", schemas=(ReportAnswerSchema,)),),
    codes=codes(Code.IMPORT_NOT_FOUND, Code.IMPORT_SUPERSEDED, Code.REPOSITORY_BUSY),
)
BEGIN = Operation(
    id="beginAttempt",
    tag="workers",
    summary="Begin an attempt",
    description=(
        "A worker that has claimed an import asks for the attempt's terms before anything else: the source's account, "
        "whether a missing project may be created, and the state of the target's tag in which it may be written. The "
        "API checks the import against the import rules of now. If none allows it any more, the import fails, and the "
        "worker stops. The same request again gets the same answer."
    ),
    body=AttemptStartSchema,
    answers=(
        Answer(
            description="The terms, or the instruction to stop, because the import has ended.",
            schemas=(AttemptTermsSchema, StopSchema),
        ),
    ),
    codes=_OF_TARGET | codes(Code.IMPORT_NOT_FOUND, Code.IMPORT_SUPERSEDED),
)
ADMIT = Operation(
    id="admitImage",
    tag="workers",
    summary="Admit an image's bytes",
    description=(
        "For an attempt whose terms are `limited`: before it copies the first byte, the worker has the image's size "
        "compared with the limits of the import's rule. The API reserves the bytes in the requester's account of the "
        "month, or ends the import with `limit_reached`. Another size, or a later attempt, replaces the reservation. "
        "An import that fails or is cancelled gives back the bytes that it did not transfer."
    ),
    body=ImageAdmissionSchema,
    answers=(
        Answer(
            description="Whether the worker goes on, or stops, because the import has ended.",
            schemas=(AdmittedSchema, StopSchema),
        ),
    ),
    codes=codes(Code.IMPORT_NOT_FOUND, Code.IMPORT_SUPERSEDED),
)
