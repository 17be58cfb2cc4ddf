"""Turns an answer of Harbor's API that is no success into the error that it means.

Harbor's errors are `{"errors": [{"code", "message"}]}`; codes and their statuses stand in its src/lib/errors/const.go
and src/lib/http/error.go.
"""

from http import HTTPStatus

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.error_body import ErrorBody, read_error_body
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request
from shared.http_client.retry import retry_after

NOT_FOUND = "NOT_FOUND"
# src/controller/artifact/controller.go, deleteDeeply: 412 for a child of an index; the database's own constraint has
# the same code, for instance where a tag came to the artifact while Harbor was deleting it.
REFERENCED = "VIOLATE_FOREIGN_KEY_CONSTRAINT"
# Both sentences about immutable tags hold it: src/controller/tag/controller.go and src/server/middleware/immutable.
IMMUTABLE = "immutable"
# src/server/middleware/readonly: 403 DENIED, though it is nobody's right that is missing.
READ_ONLY = "read only"

_BY_STATUS: dict[int, Failure] = {
    HTTPStatus.BAD_REQUEST: Failure.REFUSED,
    HTTPStatus.UNAUTHORIZED: Failure.DENIED,
    HTTPStatus.FORBIDDEN: Failure.DENIED,
    HTTPStatus.NOT_FOUND: Failure.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: Failure.UNAVAILABLE,
    HTTPStatus.CONFLICT: Failure.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Failure.REFUSED,
    HTTPStatus.TOO_MANY_REQUESTS: Failure.RATE_LIMITED,
}


def said_by_harbor(reply: Reply) -> bool:
    """Tell whether an error answer is Harbor's own, and not that of a proxy or of some other server.

    Only Harbor's own "not found" means that a thing is gone.
    """
    return bool(read_error_body(reply.content).codes)


def refused(request: Request, reply: Reply, secrets: tuple[str, ...] = ()) -> LongshoreError:
    """Make the error for an answer, with Harbor's own words in its sentence."""
    body = read_error_body(reply.content, secrets)
    said = f": {body.message}" if body.message else ""
    sentence = f"{request.host} answered {reply.status} while {request.step}{said}"
    detail = sentence if sentence.endswith((".", "…", "!")) else f"{sentence}."
    code = _named(reply.status, body)
    if code:
        return LongshoreError(code, detail, retry_after=retry_after(reply.headers))
    return request.error(_failure(reply.status, body), detail, retry_after=retry_after(reply.headers))


def _named(status: int, body: ErrorBody) -> Code | None:
    """Return the code for what only a target can answer."""
    words = body.message.lower()
    if status == HTTPStatus.PRECONDITION_FAILED:
        if REFERENCED in body.codes:
            return Code.TARGET_ARTIFACT_REFERENCED
        return Code.TARGET_IMMUTABLE_TAG if IMMUTABLE in words else Code.TARGET_DELETE_REFUSED
    return Code.TARGET_READ_ONLY if status == HTTPStatus.FORBIDDEN and READ_ONLY in words else None


def _failure(status: int, body: ErrorBody) -> Failure:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure.PROTOCOL if status == HTTPStatus.NOT_IMPLEMENTED else Failure.UNAVAILABLE
    if status == HTTPStatus.NOT_FOUND and NOT_FOUND not in body.codes:
        return Failure.PROTOCOL
    return _BY_STATUS.get(status, Failure.PROTOCOL)
