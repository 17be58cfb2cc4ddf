"""The OpenAPI operations that serve the web console."""

from api_service.web.openapi.operation import Answer, Operation, codes
from shared.errors.codes import Code

_TAG = "service"

PAGE = Operation(
    id="getConsole",
    tag=_TAG,
    summary="The web console",
    answers=(Answer(description="The page; it loads nothing from other hosts.", texts=("text/html",)),),
)
FILE = Operation(
    id="getConsoleFile",
    tag=_TAG,
    summary="A file of the web console",
    answers=(Answer(description="The file.", texts=("text/css", "text/javascript", "image/svg+xml")),),
    codes=codes(Code.ROUTE_NOT_FOUND),
)
