"""Translates an error response of Harbor's API into a LongshoreError.

Harbor's errors are `{"errors": [{"code", "message"}]}`; its codes and their statuses are defined in
src/lib/errors/const.go and src/lib/http/error.go.
"""

from http import HTTPStatus

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import ErrorBody, read_error_body
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request
from shared.http_client.retry import retry_after

NOT_FOUND = "NOT_FOUND"
# src/controller/artifact/controller.go, deleteDeeply: 412 for a child of an index. A violated database constraint has
# the same code, for instance where a tag was added to the artifact while Harbor was deleting it.
REFERENCED = "VIOLATE_FOREIGN_KEY_CONSTRAINT"
# Both messages about immutable tags contain it: src/controller/tag/controller.go and src/server/middleware/immutable.
IMMUTABLE = "immutable"
# src/server/middleware/readonly answers 403 DENIED, although no permission is missing.
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


@reads_answer
def is_harbor_error(_request: Request, reply: Reply) -> bool:
    """Return whether Harbor itself wrote an error response, and not a proxy or another server.

    Only Harbor's own "not found" means that a thing is gone.
    """
    return bool(read_error_body(reply.content).codes)


@reads_answer
def harbor_error(request: Request, reply: Reply, secrets: tuple[str, ...] = ()) -> LongshoreError:
    """Return the error for a response; its detail quotes Harbor's message."""
    body = read_error_body(reply.content, secrets)
    message = f": {body.message}" if body.message else ""
    sentence = f"{request.host} answered {reply.status} while {request.step}{message}"
    detail = sentence if sentence.endswith((".", "…", "!")) else f"{sentence}."
    code = _target_code(reply.status, body)
    if code:
        return LongshoreError(code, detail, retry_after=retry_after(reply.headers))
    return request.error(_failure(reply.status, body), detail, retry_after=retry_after(reply.headers))


def _target_code(status: int, body: ErrorBody) -> Code | None:
    """Return the code for a refusal that only a target knows; None for failures that any registry may have."""
    message = body.message.lower()
    if status == HTTPStatus.PRECONDITION_FAILED:
        if REFERENCED in body.codes:
            return Code.TARGET_ARTIFACT_REFERENCED
        return Code.TARGET_IMMUTABLE_TAG if IMMUTABLE in message else Code.TARGET_DELETE_REFUSED
    return Code.TARGET_READ_ONLY if status == HTTPStatus.FORBIDDEN and READ_ONLY in message else None


def _failure(status: int, body: ErrorBody) -> Failure:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure.PROTOCOL if status == HTTPStatus.NOT_IMPLEMENTED else Failure.UNAVAILABLE
    if status == HTTPStatus.NOT_FOUND and NOT_FOUND not in body.codes:
        return Failure.PROTOCOL
    return _BY_STATUS.get(status, Failure.PROTOCOL)
