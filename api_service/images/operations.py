"""The OpenAPI operations about images."""

from http import HTTPStatus

from api_service.images.answers import DetailsSchema, FlatPageSchema, GroupedPageSchema, ImageSchema
from api_service.images.import_details import MAX_LAYERS_SHOWN
from api_service.images.requests import DetailsQuerySchema, ImageQuerySchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import EVENT_STREAM, Answer, Operation, codes
from shared.errors.codes import Code

# Errors that any request to the target may cause.
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
    description="The list's fields, and those needed to pull the image and to follow its import.",
    answers=(Answer(description="The image.", schemas=(ImageSchema,)),),
    codes=codes(Code.IMAGE_NOT_FOUND),
)
DETAILS = Operation(
    id="getImportingDetails",
    tag="images",
    summary="The details of an image's newest import",
    description=(
        "With `Accept: text/event-stream`, the same object as an event named `details` whenever it changes, until the "
        f"import has ended; a browser sends `Last-Event-ID` when it reconnects. Of an image with more than "
        f"{MAX_LAYERS_SHOWN} layers, `layersDetail` has the {MAX_LAYERS_SHOWN} that move or come next, and "
        "`layersSummary` counts all; `page_num` and `page_size` select a page of the layers in the image's order, and "
        "are answered without a stream. A user has a limited number of streams."
    ),
    query=DetailsQuerySchema,
    request_headers={"Last-Event-ID": "The last event that a reconnecting reader of the stream has seen."},
    answers=(
        Answer(
            description="The details, or the stream of them.",
            schemas=(DetailsSchema,),
            texts=(EVENT_STREAM,),
            examples={"details": examples.DETAILS},
        ),
        Answer(
            description="For a reader of the stream that has seen its last event: no event will follow.",
            status=HTTPStatus.NO_CONTENT,
        ),
    ),
    codes=codes(Code.IMAGE_NOT_FOUND, Code.STREAM_LIMIT_REACHED),
)
DELETE = Operation(
    id="deleteImage",
    tag="images",
    summary="Delete an image",
    description=(
        "For its owner and admins. An open import is cancelled first. The tag is removed from the target, and its "
        "manifest if nothing else there needs it; no other tag is ever lost. If the target refuses, the answer "
        "is a 409 with the reason. If the target is slow, the answer is 504 `deletion_unfinished`, and the deletion "
        "continues."
    ),
    answers=(
        Answer(
            description="Deleted. The body is empty.",
            headers={"X-Longshore-Removed": "What was removed from the target: `manifest`, `tag` or `nothing`."},
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
