"""Imports, described: starting them, and reporting on them."""

from api_service.imports.answers import DryRunAnswerSchema, ImportAnswerSchema, RefusalSchema, ReportAnswerSchema
from api_service.imports.requests import ImportSchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import ERROR_KINDS, Code, Side
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
