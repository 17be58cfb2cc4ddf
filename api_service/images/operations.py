"""Images, described."""

from http import HTTPStatus

from api_service.images.answers import DetailsSchema, FlatPageSchema, GroupedPageSchema, ImageSchema
from api_service.images.requests import ImageQuerySchema
from api_service.web.openapi import examples
from api_service.web.openapi.operation import EVENT_STREAM, Answer, Operation, codes
from shared.errors.codes import Code

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
