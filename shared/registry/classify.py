"""Turns an error response of a registry into an error.

The tables hold the distribution specification's error codes and Harbor's messages, so they are the registry client's
and not the HTTP client's.
"""

import re
from http import HTTPStatus

from shared.errors.error import LongshoreError
from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import ErrorBody, read_error_body
from shared.http_client.failures import Failure
from shared.http_client.request import Reply
from shared.http_client.retry import retry_after
from shared.registry.request import RegistryRequest, Resource

# The distribution specification's error codes, which say more than a status.
_BY_CODE: dict[str, Failure] = {
    "TOOMANYREQUESTS": Failure.RATE_LIMITED,
    "DENIED": Failure.DENIED,
    "UNAUTHORIZED": Failure.DENIED,
    "NAME_UNKNOWN": Failure.NOT_FOUND,
    "MANIFEST_UNKNOWN": Failure.NOT_FOUND,
    "BLOB_UNKNOWN": Failure.BLOB_MISSING,
    "MANIFEST_BLOB_UNKNOWN": Failure.BLOB_MISSING,
    # An upload session that the registry has lost, or bytes that were changed in transit: the blob is sent again.
    "BLOB_UPLOAD_UNKNOWN": Failure.UNAVAILABLE,
    "BLOB_UPLOAD_INVALID": Failure.UNAVAILABLE,
    "DIGEST_INVALID": Failure.UNAVAILABLE,
    "SIZE_INVALID": Failure.UNAVAILABLE,
    "MANIFEST_INVALID": Failure.REFUSED,
    "MANIFEST_UNVERIFIED": Failure.REFUSED,
    "NAME_INVALID": Failure.REFUSED,
    "TAG_INVALID": Failure.REFUSED,
    "UNSUPPORTED": Failure.REFUSED,
}
# Codes whose meaning depends on the resource.
_BY_RESOURCE_AND_CODE: dict[tuple[Resource, str], Failure] = {
    (Resource.UPLOAD, "NAME_UNKNOWN"): Failure.REFUSED,
    (Resource.PUSHED_MANIFEST, "NAME_UNKNOWN"): Failure.REFUSED,
    # An index whose child manifest is missing.
    (Resource.PUSHED_MANIFEST, "MANIFEST_UNKNOWN"): Failure.BLOB_MISSING,
    # Harbor's code for the same, if the child was deleted in Harbor but not yet in its registry.
    (Resource.PUSHED_MANIFEST, "NOT_FOUND"): Failure.BLOB_MISSING,
}
_BY_RESOURCE_AND_STATUS: dict[tuple[Resource, int], Failure] = {
    (Resource.MANIFEST, HTTPStatus.NOT_FOUND): Failure.NOT_FOUND,
    (Resource.BLOB, HTTPStatus.NOT_FOUND): Failure.BLOB_MISSING,
    # A Range that the registry cannot serve: the blob is read again from its start.
    (Resource.BLOB, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE): Failure.UNAVAILABLE,
    (Resource.UPLOAD, HTTPStatus.NOT_FOUND): Failure.UNAVAILABLE,
    (Resource.UPLOAD, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE): Failure.UNAVAILABLE,
    (Resource.PUSHED_MANIFEST, HTTPStatus.NOT_FOUND): Failure.REFUSED,
}
_BY_STATUS: dict[int, Failure] = {
    HTTPStatus.BAD_REQUEST: Failure.REFUSED,
    HTTPStatus.UNAUTHORIZED: Failure.DENIED,
    HTTPStatus.FORBIDDEN: Failure.DENIED,
    HTTPStatus.METHOD_NOT_ALLOWED: Failure.REFUSED,
    HTTPStatus.REQUEST_TIMEOUT: Failure.UNAVAILABLE,
    HTTPStatus.CONFLICT: Failure.REFUSED,
    HTTPStatus.PRECONDITION_FAILED: Failure.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Failure.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Failure.REFUSED,
    HTTPStatus.TOO_MANY_REQUESTS: Failure.RATE_LIMITED,
}
# Harbor sends 403 DENIED for a full quota and for an immutable tag as well as for missing rights, and the same codes
# for a missing project as for a missing repository: only the message tells them apart.
_BY_MESSAGE: tuple[tuple[re.Pattern[str], Failure], ...] = (
    (re.compile(r"configured upper limit|quota.{0,40}exceed|exceed.{0,40}quota"), Failure.QUOTA_EXCEEDED),
    (re.compile(r"(?:as|is) immutable|immutable tag"), Failure.TAG_IMMUTABLE),
    (re.compile(r"project \S+ not found"), Failure.PROJECT_MISSING),
)
_AMBIGUOUS = frozenset({Failure.DENIED, Failure.REFUSED, Failure.NOT_FOUND})


@reads_answer
def error_from_reply(
    request: RegistryRequest, reply: Reply, secrets: tuple[str, ...] = (), note: str = ""
) -> LongshoreError:
    """Return the error for a response of the registry itself; `note` is a sentence for errors about denied access."""
    body = read_error_body(reply.content, secrets)
    failure = classify(request.resource, reply.status, body)
    message = f": {body.message}" if body.message else ""
    reason = f"{request.host} answered {reply.status} while {request.step}{message}"
    stop = "" if reason.endswith((".", "…", "!")) else "."
    tail = f" {note}" if note and failure is Failure.DENIED else ""
    return request.error(failure, f"{reason}{stop}{tail}", retry_after=retry_after(reply.headers))


def classify(resource: Resource, status: int, body: ErrorBody) -> Failure:
    """Return the failure for a response. An error code takes precedence over the status, except for 429 and 5xx."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure.RATE_LIMITED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure.PROTOCOL if status == HTTPStatus.NOT_IMPLEMENTED else Failure.UNAVAILABLE
    failure = next((found for code in body.codes if (found := _by_code(resource, code))), None)
    failure = failure or _BY_RESOURCE_AND_STATUS.get((resource, status)) or _BY_STATUS.get(status, Failure.PROTOCOL)
    if failure not in _AMBIGUOUS:
        return failure
    message = body.message.lower()
    return next((meaning for pattern, meaning in _BY_MESSAGE if pattern.search(message)), failure)


def _by_code(resource: Resource, code: str) -> Failure | None:
    return _BY_RESOURCE_AND_CODE.get((resource, code)) or _BY_CODE.get(code)
