"""Images, described."""

from http import HTTPStatus

from api_service.images.answers import DetailsSchema, FlatPageSchema, GroupedPageSchema, ImageSchema
from api_service.images.requests import ImageQuerySchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import EVENT_STREAM, Answer, Operation, codes
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

LIST = Operation(
    id="listImages",
    tag="images",
    summary="List images",
    description=(
        "One page of the images that match. `flat` chooses the form; a page holds the same images in both. "
        "The image's id breaks ties of the order, so that pages never overlap."
    ),
    query=ImageQuerySchema,
    answers=(
        Answer(
            description="The page.",
            schemas=(FlatPageSchema, GroupedPageSchema),
            examples={"flat": examples.FLAT_PAGE, "grouped": examples.GROUPED_PAGE},
        ),
    ),
)
GET = Operation(
    id="getImage",
    tag="images",
    summary="One image",
    description="The list's fields, and what is needed to pull the image and to follow its import.",
    answers=(Answer(description="The image.", schemas=(ImageSchema,)),),
    codes=codes(Code.IMAGE_NOT_FOUND),
)
DETAILS = Operation(
    id="getImportingDetails",
    tag="images",
    summary="How an image's newest import stands",
    description=(
        "With `Accept: text/event-stream`, the same object as an event named `details` whenever it changes, until the "
        "import has ended; `Last-Event-ID` is what a browser sends when it comes back."
    ),
    request_headers={"Last-Event-ID": "The last event that a returning reader of the stream has seen."},
    answers=(
        Answer(
            description="The details, or the stream of them.",
            schemas=(DetailsSchema,),
            texts=(EVENT_STREAM,),
            examples={"details": examples.DETAILS},
        ),
        Answer(
            description="To a reader of the stream who has seen its last event: there is no more.",
            status=HTTPStatus.NO_CONTENT,
        ),
    ),
    codes=codes(Code.IMAGE_NOT_FOUND),
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
