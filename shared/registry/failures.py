"""The one table from what went wrong to the error code that people see, by side."""

from enum import Enum, auto

from shared.errors import LongshoreError, Side


class Failure(Enum):
    """What can go wrong between Longshore and a registry, whichever side it is on."""

    NOT_FOUND = auto()
    """No such repository or manifest."""
    BLOB_MISSING = auto()
    """No such blob, where there should be one."""
    DENIED = auto()
    """The account, or the lack of one, does not suffice."""
    RATE_LIMITED = auto()
    UNAVAILABLE = auto()
    """It answered, but could not do it now: 5xx, a cut body, a lost upload session."""
    UNREACHABLE = auto()
    """No connection, or a lost one."""
    STALLED = auto()
    """A connection on which nothing moves."""
    TLS = auto()
    HOST_REFUSED = auto()
    """Longshore's own rules say not to call there."""
    PROTOCOL = auto()
    """An answer that the distribution spec does not have."""
    REFUSED = auto()
    """Understood and turned down: invalid, or against a policy."""
    QUOTA_EXCEEDED = auto()
    TAG_IMMUTABLE = auto()
    PROJECT_MISSING = auto()
    """What Harbor has above repositories; it makes none on a push."""
    UNSUPPORTED = auto()
    """A manifest that cannot be imported."""
    MANIFEST_MISMATCH = auto()
    """A manifest whose bytes or digest header are not those asked for."""
    CONTENT_MISMATCH = auto()
    """A blob whose bytes cannot be those of its digest."""


_CODES: dict[Side, dict[Failure, str]] = {
    Side.SOURCE: {
        Failure.NOT_FOUND: "source_not_found",
        Failure.BLOB_MISSING: "blob_not_found",
        Failure.DENIED: "source_denied",
        Failure.RATE_LIMITED: "source_rate_limited",
        Failure.UNAVAILABLE: "source_unavailable",
        Failure.UNREACHABLE: "source_unreachable",
        Failure.STALLED: "source_stalled",
        Failure.TLS: "source_tls_failed",
        Failure.HOST_REFUSED: "source_host_refused",
        Failure.PROTOCOL: "source_protocol_error",
        Failure.REFUSED: "source_protocol_error",
        Failure.QUOTA_EXCEEDED: "source_denied",
        Failure.TAG_IMMUTABLE: "source_denied",
        Failure.PROJECT_MISSING: "source_not_found",
        Failure.UNSUPPORTED: "manifest_unsupported",
        Failure.MANIFEST_MISMATCH: "manifest_digest_mismatch",
        Failure.CONTENT_MISMATCH: "blob_digest_mismatch",
    },
    Side.TARGET: {
        Failure.NOT_FOUND: "target_not_found",
        Failure.BLOB_MISSING: "target_blob_unknown",
        Failure.DENIED: "target_denied",
        Failure.RATE_LIMITED: "target_rate_limited",
        Failure.UNAVAILABLE: "target_unavailable",
        Failure.UNREACHABLE: "target_unreachable",
        Failure.STALLED: "target_stalled",
        Failure.TLS: "target_tls_failed",
        # The operator's own setting leads there, so no rule of ours but the target's answer is at fault.
        Failure.HOST_REFUSED: "target_protocol_error",
        Failure.PROTOCOL: "target_protocol_error",
        Failure.REFUSED: "target_refused",
        Failure.QUOTA_EXCEEDED: "target_quota_exceeded",
        Failure.TAG_IMMUTABLE: "target_immutable_tag",
        Failure.PROJECT_MISSING: "target_project_missing",
        Failure.UNSUPPORTED: "target_protocol_error",
        Failure.MANIFEST_MISMATCH: "target_digest_mismatch",
        Failure.CONTENT_MISMATCH: "target_digest_mismatch",
    },
}

# Worth another try of the same request within seconds; the others need time, or a person.
_TRANSIENT = (Failure.UNAVAILABLE, Failure.UNREACHABLE, Failure.STALLED, Failure.RATE_LIMITED)
TRANSIENT_CODES = frozenset(codes[failure] for codes in _CODES.values() for failure in _TRANSIENT)


def failed(side: Side, failure: Failure, detail: str, *, retry_after: float | None = None) -> LongshoreError:
    """Make the error for one side; `detail` is a sentence without secrets."""
    return LongshoreError(_CODES[side][failure], detail, retry_after=retry_after)
