"""Turns an answer that is no success into the error that it means."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from multidict import CIMultiDictProxy

from shared.errors.error import LongshoreError
from shared.http_client.error_body import Complaint, read_complaint
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request, Subject

# Seconds; a registry that asks for more is not believed to mean it.
MAX_RETRY_AFTER = 24 * 3600.0

# The distribution spec's error codes, and what a status alone leaves open.
_BY_CODE: dict[str, Failure] = {
    "TOOMANYREQUESTS": Failure.RATE_LIMITED,
    "DENIED": Failure.DENIED,
    "UNAUTHORIZED": Failure.DENIED,
    "NAME_UNKNOWN": Failure.NOT_FOUND,
    "MANIFEST_UNKNOWN": Failure.NOT_FOUND,
    "BLOB_UNKNOWN": Failure.BLOB_MISSING,
    "MANIFEST_BLOB_UNKNOWN": Failure.BLOB_MISSING,
    # A session that the registry has forgotten, or bytes that were changed on their way: the blob is sent again.
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
# Where one code means another thing for what was asked.
_BY_SUBJECT_AND_CODE: dict[tuple[Subject, str], Failure] = {
    (Subject.UPLOAD, "NAME_UNKNOWN"): Failure.REFUSED,
    (Subject.PUSHED_MANIFEST, "NAME_UNKNOWN"): Failure.REFUSED,
    # An index whose child manifest is not there.
    (Subject.PUSHED_MANIFEST, "MANIFEST_UNKNOWN"): Failure.BLOB_MISSING,
    # Harbor's word for the same, where the child was deleted in Harbor and not yet in its registry.
    (Subject.PUSHED_MANIFEST, "NOT_FOUND"): Failure.BLOB_MISSING,
}
_BY_SUBJECT_AND_STATUS: dict[tuple[Subject, int], Failure] = {
    (Subject.MANIFEST, HTTPStatus.NOT_FOUND): Failure.NOT_FOUND,
    (Subject.BLOB, HTTPStatus.NOT_FOUND): Failure.BLOB_MISSING,
    # A Range that the registry cannot serve: the blob is read from its start.
    (Subject.BLOB, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE): Failure.UNAVAILABLE,
    (Subject.UPLOAD, HTTPStatus.NOT_FOUND): Failure.UNAVAILABLE,
    (Subject.UPLOAD, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE): Failure.UNAVAILABLE,
    (Subject.PUSHED_MANIFEST, HTTPStatus.NOT_FOUND): Failure.REFUSED,
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
# Harbor says 403 DENIED for a full quota and for an immutable tag, as it does for missing rights, and has the same
# codes for a missing project as for a missing repository: only its words tell them apart.
_BY_WORDS: tuple[tuple[re.Pattern[str], Failure], ...] = (
    (re.compile(r"configured upper limit|quota.{0,40}exceed|exceed.{0,40}quota"), Failure.QUOTA_EXCEEDED),
    (re.compile(r"(?:as|is) immutable|immutable tag"), Failure.TAG_IMMUTABLE),
    (re.compile(r"project \S+ not found"), Failure.PROJECT_MISSING),
)
_IN_DOUBT = frozenset({Failure.DENIED, Failure.REFUSED, Failure.NOT_FOUND})


def refused(request: Request, reply: Reply, secrets: tuple[str, ...] = (), note: str = "") -> LongshoreError:
    """Make the error for an answer from the registry itself; `note` is a sentence that helps where access is denied."""
    complaint = read_complaint(reply.content, secrets)
    failure = classify(request.subject, reply.status, complaint)
    said = f": {complaint.words}" if complaint.words else ""
    tail = f" {note}" if note and failure is Failure.DENIED else ""
    reason = f"{request.host} answered {reply.status} while {request.step}{said}"
    closing = "" if reason.endswith((".", "…", "!")) else "."
    return request.error(failure, f"{reason}{closing}{tail}", retry_after=retry_after(reply.headers))


def classify(subject: Subject, status: int, complaint: Complaint) -> Failure:
    """Decide what a status and the registry's own codes mean: a code says more, except beside 429 and 5xx."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure.RATE_LIMITED
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure.PROTOCOL if status == HTTPStatus.NOT_IMPLEMENTED else Failure.UNAVAILABLE
    failure = next((found for code in complaint.codes if (found := _by_code(subject, code))), None)
    failure = failure or _BY_SUBJECT_AND_STATUS.get((subject, status)) or _BY_STATUS.get(status, Failure.PROTOCOL)
    if failure not in _IN_DOUBT:
        return failure
    words = complaint.words.lower()
    return next((meaning for pattern, meaning in _BY_WORDS if pattern.search(words)), failure)


def retry_after(headers: CIMultiDictProxy[str]) -> float | None:
    """Return Retry-After in seconds from now: it is a number of seconds or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _by_code(subject: Subject, code: str) -> Failure | None:
    return _BY_SUBJECT_AND_CODE.get((subject, code)) or _BY_CODE.get(code)
