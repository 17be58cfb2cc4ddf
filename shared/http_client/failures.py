"""The one table from a failure to the error code that users see, by side.

It is shared by the HTTP client, which raises network failures itself, the registry client and the Harbor client: a
new failure needs a code on both sides, and only one table can be checked for that.
"""

from enum import Enum, auto

from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError


class Failure(Enum):
    """A failure between Longshore and a registry on either side."""

    NOT_FOUND = auto()
    """No such repository or manifest."""
    BLOB_MISSING = auto()
    """No such blob, although a manifest refers to it."""
    DENIED = auto()
    """The account, or a request without one, lacks the permission."""
    RATE_LIMITED = auto()
    UNAVAILABLE = auto()
    """The server responded, but cannot serve the request now: 5xx, a truncated body, a lost upload session."""
    UNREACHABLE = auto()
    """No connection, or a lost one."""
    STALLED = auto()
    """A connection that transfers nothing."""
    TLS = auto()
    HOST_REFUSED = auto()
    """Longshore's own network rules forbid the address."""
    PROTOCOL = auto()
    """A response that the distribution specification does not define."""
    REFUSED = auto()
    """Understood and rejected: invalid, or against a policy."""
    QUOTA_EXCEEDED = auto()
    TAG_IMMUTABLE = auto()
    PROJECT_MISSING = auto()
    """No such Harbor project; Harbor creates none on a push."""
    UNSUPPORTED = auto()
    """A manifest that cannot be imported."""
    MANIFEST_MISMATCH = auto()
    """A manifest whose bytes or digest header differ from the requested digest."""
    CONTENT_MISMATCH = auto()
    """A blob whose bytes cannot have its digest."""


_CODES: dict[Side, dict[Failure, Code]] = {
    Side.SOURCE: {
        Failure.NOT_FOUND: Code.SOURCE_NOT_FOUND,
        Failure.BLOB_MISSING: Code.BLOB_NOT_FOUND,
        Failure.DENIED: Code.SOURCE_DENIED,
        Failure.RATE_LIMITED: Code.SOURCE_RATE_LIMITED,
        Failure.UNAVAILABLE: Code.SOURCE_UNAVAILABLE,
        Failure.UNREACHABLE: Code.SOURCE_UNREACHABLE,
        Failure.STALLED: Code.SOURCE_STALLED,
        Failure.TLS: Code.SOURCE_TLS_FAILED,
        Failure.HOST_REFUSED: Code.SOURCE_HOST_REFUSED,
        Failure.PROTOCOL: Code.SOURCE_PROTOCOL_ERROR,
        Failure.REFUSED: Code.SOURCE_PROTOCOL_ERROR,
        Failure.QUOTA_EXCEEDED: Code.SOURCE_DENIED,
        Failure.TAG_IMMUTABLE: Code.SOURCE_DENIED,
        Failure.PROJECT_MISSING: Code.SOURCE_NOT_FOUND,
        Failure.UNSUPPORTED: Code.MANIFEST_UNSUPPORTED,
        Failure.MANIFEST_MISMATCH: Code.MANIFEST_DIGEST_MISMATCH,
        Failure.CONTENT_MISMATCH: Code.BLOB_DIGEST_MISMATCH,
    },
    Side.TARGET: {
        Failure.NOT_FOUND: Code.TARGET_NOT_FOUND,
        Failure.BLOB_MISSING: Code.TARGET_BLOB_UNKNOWN,
        Failure.DENIED: Code.TARGET_DENIED,
        Failure.RATE_LIMITED: Code.TARGET_RATE_LIMITED,
        Failure.UNAVAILABLE: Code.TARGET_UNAVAILABLE,
        Failure.UNREACHABLE: Code.TARGET_UNREACHABLE,
        Failure.STALLED: Code.TARGET_STALLED,
        Failure.TLS: Code.TARGET_TLS_FAILED,
        # The operator's own setting names the target, so the target's response is at fault, not a network rule.
        Failure.HOST_REFUSED: Code.TARGET_PROTOCOL_ERROR,
        Failure.PROTOCOL: Code.TARGET_PROTOCOL_ERROR,
        Failure.REFUSED: Code.TARGET_REFUSED,
        Failure.QUOTA_EXCEEDED: Code.TARGET_QUOTA_EXCEEDED,
        Failure.TAG_IMMUTABLE: Code.TARGET_IMMUTABLE_TAG,
        Failure.PROJECT_MISSING: Code.TARGET_PROJECT_MISSING,
        Failure.UNSUPPORTED: Code.TARGET_PROTOCOL_ERROR,
        Failure.MANIFEST_MISMATCH: Code.TARGET_DIGEST_MISMATCH,
        Failure.CONTENT_MISMATCH: Code.TARGET_DIGEST_MISMATCH,
    },
}

# Failures that a retry within seconds may overcome; the others need time, or a person.
_TRANSIENT = (Failure.UNAVAILABLE, Failure.UNREACHABLE, Failure.STALLED, Failure.RATE_LIMITED)
TRANSIENT_CODES = frozenset(codes[failure] for codes in _CODES.values() for failure in _TRANSIENT)


def failed(side: Side, failure: Failure, detail: str, *, retry_after: float | None = None) -> LongshoreError:
    """Return the error for one side; `detail` is a sentence without secrets."""
    return LongshoreError(_CODES[side][failure], detail, retry_after=retry_after)
