"""The closed list of error codes; `kinds` has the side, HTTP status, title and hint of each.

A code is stable: clients and alert rules match on it. Its side names the system to look at: the registry that the image
comes from, the registry that it goes to, or Longshore itself.
"""

from enum import StrEnum


class Side(StrEnum):
    """The system in which an error arose."""

    SOURCE = "source"
    TARGET = "target"
    LONGSHORE = "longshore"


class Code(StrEnum):
    """Every error code. Clients, alert rules and stored imports use these values: never rename one."""

    # The request itself.
    VALIDATION_FAILED = "validation_failed"
    REFERENCE_MALFORMED = "reference_malformed"
    SOURCE_REGISTRY_CONFLICT = "source_registry_conflict"
    BODY_MALFORMED = "body_malformed"
    BODY_TOO_LARGE = "body_too_large"
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"
    FORBIDDEN = "forbidden"
    ROUTE_NOT_FOUND = "route_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"

    # Images, imports and stored registries.
    IMAGE_NOT_FOUND = "image_not_found"
    IMPORT_NOT_FOUND = "import_not_found"
    IMPORT_CONFLICT = "import_conflict"
    IMPORT_SUPERSEDED = "import_superseded"
    REGISTRY_NOT_FOUND = "registry_not_found"
    REGISTRY_EXISTS = "registry_exists"
    REGISTRY_LIMIT_REACHED = "registry_limit_reached"
    REGISTRY_TEST_LIMITED = "registry_test_limited"
    DRY_RUN_TIMEOUT = "dry_run_timeout"
    IMAGE_BEING_DELETED = "image_being_deleted"
    IMPORT_FINISHING = "import_finishing"
    IMPORT_NOT_OPEN = "import_not_open"
    IMPORT_NOT_RETRYABLE = "import_not_retryable"
    REPOSITORY_BUSY = "repository_busy"
    STREAM_LIMIT_REACHED = "stream_limit_reached"

    # Import rules, API tokens.
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    TARGET_NOT_ALLOWED = "target_not_allowed"
    LIMIT_REACHED = "limit_reached"
    IMPORT_LIMIT_REACHED = "import_limit_reached"
    RULE_NOT_FOUND = "rule_not_found"
    RULE_EXISTS = "rule_exists"
    RULE_LIMIT_REACHED = "rule_limit_reached"
    TOKEN_NOT_FOUND = "token_not_found"
    TOKEN_LIMIT_REACHED = "token_limit_reached"

    # Longshore's own services.
    INTERNAL_ERROR = "internal_error"
    DATABASE_UNAVAILABLE = "database_unavailable"
    OIDC_UNAVAILABLE = "oidc_unavailable"
    API_UNAVAILABLE = "api_unavailable"
    API_REFUSED = "api_refused"
    DOCKER_SOURCE_DISABLED = "docker_source_disabled"

    # Imports that Longshore itself ends.
    WORKER_LOST = "worker_lost"
    IMPORT_TIMED_OUT = "import_timed_out"
    CREDENTIALS_UNREADABLE = "credentials_unreadable"

    # The source.
    SOURCE_NOT_FOUND = "source_not_found"
    SOURCE_DENIED = "source_denied"
    SOURCE_UNREACHABLE = "source_unreachable"
    SOURCE_HOST_REFUSED = "source_host_refused"
    SOURCE_TLS_FAILED = "source_tls_failed"
    SOURCE_UNAVAILABLE = "source_unavailable"
    SOURCE_STALLED = "source_stalled"
    SOURCE_RATE_LIMITED = "source_rate_limited"
    SOURCE_PROTOCOL_ERROR = "source_protocol_error"
    MANIFEST_UNSUPPORTED = "manifest_unsupported"
    IMAGE_TOO_LARGE = "image_too_large"
    MANIFEST_DIGEST_MISMATCH = "manifest_digest_mismatch"
    PLATFORM_NOT_AVAILABLE = "platform_not_available"
    BLOB_NOT_FOUND = "blob_not_found"
    BLOB_DIGEST_MISMATCH = "blob_digest_mismatch"
    DOCKER_ENGINE_UNAVAILABLE = "docker_engine_unavailable"

    # The target.
    TARGET_NOT_FOUND = "target_not_found"
    TARGET_DENIED = "target_denied"
    TARGET_UNREACHABLE = "target_unreachable"
    TARGET_TLS_FAILED = "target_tls_failed"
    TARGET_UNAVAILABLE = "target_unavailable"
    TARGET_STALLED = "target_stalled"
    TARGET_RATE_LIMITED = "target_rate_limited"
    TARGET_REFUSED = "target_refused"
    TARGET_PROJECT_MISSING = "target_project_missing"
    TARGET_QUOTA_EXCEEDED = "target_quota_exceeded"
    TARGET_IMMUTABLE_TAG = "target_immutable_tag"
    TARGET_TAG_FOREIGN = "target_tag_foreign"
    TARGET_ARTIFACT_REFERENCED = "target_artifact_referenced"
    TARGET_DELETE_REFUSED = "target_delete_refused"
    DELETION_UNFINISHED = "deletion_unfinished"
    TARGET_STATISTICS_UNAVAILABLE = "target_statistics_unavailable"
    TARGET_READ_ONLY = "target_read_only"
    TARGET_PROTOCOL_ERROR = "target_protocol_error"
    TARGET_BLOB_UNKNOWN = "target_blob_unknown"
    TARGET_DIGEST_MISMATCH = "target_digest_mismatch"
