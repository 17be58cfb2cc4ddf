"""The table of error kinds: the side, HTTP status, title and hint of each code, and whether it is retried."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from shared.errors.codes import Code, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """The properties that every error with this code shares.

    `retryable`: another attempt may succeed without any change by a person. `parks`: the import waits until the time
    that the other side names, and the attempt does not count against the limit.
    """

    code: Code
    side: Side
    status: HTTPStatus
    title: str
    hint: str
    retryable: bool = False
    parks: bool = False


def _kind(
    side: Side, code: Code, status: HTTPStatus, title: str, hint: str, *, retryable: bool = False, parks: bool = False
) -> ErrorKind:
    return ErrorKind(side=side, code=code, status=status, title=title, hint=hint, retryable=retryable, parks=parks)


_longshore = partial(_kind, Side.LONGSHORE)
_source = partial(_kind, Side.SOURCE)
_target = partial(_kind, Side.TARGET)

_KINDS = (
    # The request itself.
    _longshore(
        Code.VALIDATION_FAILED,
        HTTPStatus.BAD_REQUEST,
        "The request is not valid",
        "Correct the fields named in `errors`.",
    ),
    _longshore(
        Code.REFERENCE_MALFORMED,
        HTTPStatus.BAD_REQUEST,
        "The image reference is malformed",
        "Write it as for docker pull: [registry/]repository[:tag][@digest].",
    ),
    _longshore(
        Code.SOURCE_REGISTRY_CONFLICT,
        HTTPStatus.BAD_REQUEST,
        "source and sourceRegistry name different registries",
        "Omit sourceRegistry when source already names its registry.",
    ),
    _longshore(
        Code.BODY_MALFORMED,
        HTTPStatus.BAD_REQUEST,
        "The request body is not a JSON object",
        "Send one JSON object in UTF-8.",
    ),
    _longshore(
        Code.BODY_TOO_LARGE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The request body is too large",
        "Send a smaller body: an import request fits in a few kilobytes.",
    ),
    _longshore(
        Code.CONTENT_TYPE_UNSUPPORTED,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The request's Content-Type is not supported",
        "Send `Content-Type: application/json`.",
    ),
    _longshore(
        Code.UNAUTHENTICATED,
        HTTPStatus.UNAUTHORIZED,
        "Authentication is required",
        "Send `Authorization: Bearer <token>` with an API token, which an administrator creates with "
        "`longshore-api token create`, or a token of the configured identity provider.",
    ),
    _longshore(
        Code.TOKEN_EXPIRED,
        HTTPStatus.UNAUTHORIZED,
        "The token has expired",
        "Ask an administrator for a new API token, or sign in at the identity provider again.",
    ),
    _longshore(
        Code.FORBIDDEN,
        HTTPStatus.FORBIDDEN,
        "The token's role does not allow this",
        "Use a token with another role: user and admin import and list images, worker reports progress.",
    ),
    _longshore(Code.ROUTE_NOT_FOUND, HTTPStatus.NOT_FOUND, "There is no endpoint at this path", "Check the path."),
    _longshore(
        Code.METHOD_NOT_ALLOWED,
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The endpoint does not support this method",
        "Use one of the methods in the Allow header.",
    ),
    _longshore(
        Code.IMAGE_NOT_FOUND, HTTPStatus.NOT_FOUND, "There is no image with this id", "List the images to find its id."
    ),
    _longshore(
        Code.IMPORT_NOT_FOUND,
        HTTPStatus.NOT_FOUND,
        "There is no import with this name",
        "The image may have been deleted; stop working on it.",
    ),
    _longshore(
        Code.IMPORT_CONFLICT,
        HTTPStatus.CONFLICT,
        "The target is being imported from another source",
        "Wait for the running import, or choose another target.",
    ),
    _longshore(
        Code.IMPORT_SUPERSEDED,
        HTTPStatus.CONFLICT,
        "The import no longer belongs to this attempt",
        "Stop working on it: it has ended, or another worker has claimed it.",
    ),
    _longshore(
        Code.REGISTRY_NOT_FOUND,
        HTTPStatus.NOT_FOUND,
        "There is no stored registry with this id",
        "List the registries to find its id.",
    ),
    _longshore(
        Code.REGISTRY_EXISTS,
        HTTPStatus.CONFLICT,
        "The registry is already stored",
        "Change the stored registry, or choose another name.",
    ),
    _longshore(
        Code.REGISTRY_LIMIT_REACHED,
        HTTPStatus.CONFLICT,
        "The limit of stored registries is reached",
        "Delete registries that are no longer used.",
    ),
    _longshore(
        Code.REGISTRY_TEST_LIMITED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "Stored registries are tested too often",
        "Wait for the seconds of Retry-After, then test again.",
    ),
    _longshore(
        Code.DRY_RUN_TIMEOUT,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The import could not be planned in time",
        "The source or the target is slow; try again, or start the import, which has no such time limit.",
        retryable=True,
    ),
    _longshore(
        Code.IMAGE_BEING_DELETED,
        HTTPStatus.CONFLICT,
        "The image is being deleted",
        "Try again in a moment, when the image is gone or its deletion has failed.",
        retryable=True,
    ),
    _longshore(
        Code.IMPORT_FINISHING,
        HTTPStatus.CONFLICT,
        "An import is writing a tag in this repository",
        "Try again in a moment, when that import has ended.",
        retryable=True,
    ),
    _longshore(
        Code.IMPORT_NOT_OPEN,
        HTTPStatus.CONFLICT,
        "The image has no unfinished import",
        "There is nothing to cancel.",
    ),
    _longshore(
        Code.IMPORT_NOT_RETRYABLE,
        HTTPStatus.CONFLICT,
        "The image's newest import did not fail",
        "Only a failed or cancelled import can be retried; to import a ready image again, use `force`.",
    ),
    _longshore(
        Code.REPOSITORY_BUSY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "An image is being deleted in this repository",
        "The worker retries until the deletion has ended, and then writes its tag.",
        retryable=True,
    ),
    _longshore(
        Code.STREAM_LIMIT_REACHED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "The limit of a user's open event streams is reached",
        "Wait for the seconds of Retry-After, or read the details without a stream meanwhile.",
        retryable=True,
    ),
    _longshore(
        Code.INTERNAL_ERROR,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Longshore had an internal error",
        "Report the request id to your operator; the logs show the cause.",
        retryable=True,
    ),
    _longshore(
        Code.DATABASE_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Longshore's database does not respond",
        "Try again in a moment.",
        retryable=True,
    ),
    _longshore(
        Code.OIDC_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity provider does not respond",
        "Try again in a moment; API tokens still work.",
        retryable=True,
    ),
    # Between the worker and the API.
    _longshore(
        Code.API_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Longshore's API does not respond to its worker",
        "The worker retries; operators: check the API's readiness.",
        retryable=True,
    ),
    _longshore(
        Code.API_REFUSED,
        HTTPStatus.BAD_GATEWAY,
        "Longshore's API rejects its worker",
        "Operators: the text has the API's reason. If it is the token, set WORKER_TOKEN to one with the role worker; "
        "run both services at one release.",
    ),
    _longshore(
        Code.DOCKER_SOURCE_DISABLED,
        HTTPStatus.FORBIDDEN,
        "Imports from a Docker Engine are not allowed",
        "Operators: DOCKER_SOURCE of the API selects the users that are allowed, and every worker needs DOCKER_HOST.",
    ),
    # Import rules, API tokens.
    _longshore(
        Code.SOURCE_NOT_ALLOWED,
        HTTPStatus.FORBIDDEN,
        "No import rule allows this source",
        "`GET /api/v1/import-rules` lists the rules that apply to you. Ask an administrator for one that allows the "
        "source.",
    ),
    _longshore(
        Code.TARGET_NOT_ALLOWED,
        HTTPStatus.FORBIDDEN,
        "No import rule allows this target",
        "Omit `target`, or choose one that a rule allows: `GET /api/v1/import-rules` lists the rules that apply to "
        "you. Ask an administrator for another rule.",
    ),
    _longshore(
        Code.LIMIT_REACHED,
        HTTPStatus.FORBIDDEN,
        "A limit of the import rule is reached",
        "The detail names the limit, what is left of it, and when it renews. Ask an administrator for a higher one.",
    ),
    _longshore(
        Code.IMPORT_LIMIT_REACHED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "The limit of a user's open imports is reached",
        "Wait for the seconds of Retry-After, and until some of your imports have ended; then repeat the request.",
        retryable=True,
    ),
    _longshore(
        Code.RULE_NOT_FOUND, HTTPStatus.NOT_FOUND, "There is no import rule with this id", "List the rules to find it."
    ),
    _longshore(
        Code.RULE_EXISTS,
        HTTPStatus.CONFLICT,
        "An import rule has this name already",
        "Choose another name, or change the existing rule.",
    ),
    _longshore(
        Code.RULE_LIMIT_REACHED,
        HTTPStatus.CONFLICT,
        "The limit of import rules is reached",
        "Delete rules that are no longer used, or give one rule several subjects.",
    ),
    _longshore(
        Code.TOKEN_NOT_FOUND, HTTPStatus.NOT_FOUND, "There is no API token with this id", "List your tokens to find it."
    ),
    _longshore(
        Code.TOKEN_LIMIT_REACHED,
        HTTPStatus.CONFLICT,
        "The limit of a user's API tokens is reached",
        "Revoke tokens that are no longer used.",
    ),
    # Imports that Longshore itself ends.
    _longshore(
        Code.WORKER_LOST,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The workers that ran the import stopped unexpectedly",
        "Operators: check the workers' logs; lack of memory and restarts are the usual causes.",
        retryable=True,
    ),
    _longshore(
        Code.IMPORT_TIMED_OUT,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The import was not ready before its deadline",
        "Look at the last error, which the detail has; retrying goes on with the blobs that have been copied.",
    ),
    _longshore(
        Code.CREDENTIALS_UNREADABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The import's credentials cannot be decrypted",
        "Start the import again; operators: give every service the same SECRET_KEYS.",
    ),
    # The source.
    _source(
        Code.SOURCE_NOT_FOUND,
        HTTPStatus.NOT_FOUND,
        "The source image does not exist",
        "Check repository and tag; without credentials, a private image also appears not to exist.",
    ),
    _source(
        Code.SOURCE_DENIED,
        HTTPStatus.FORBIDDEN,
        "The source registry denies access",
        "The image does not exist or needs other credentials; send `credentials` with the import.",
    ),
    _source(
        Code.SOURCE_UNREACHABLE,
        HTTPStatus.BAD_GATEWAY,
        "The source registry cannot be reached",
        "Check the registry's address, and that it is reachable from Longshore's network.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_HOST_REFUSED,
        HTTPStatus.FORBIDDEN,
        "Longshore is not allowed to connect to this address",
        "Operators: list the private and loopback addresses that are allowed in ALLOWED_PRIVATE.",
    ),
    _source(
        Code.SOURCE_TLS_FAILED,
        HTTPStatus.BAD_GATEWAY,
        "The source registry's TLS certificate is not trusted",
        "Operators: add its certificate authority to CA_FILES, or a plain-http host to PLAIN_HTTP_HOSTS.",
    ),
    _source(
        Code.SOURCE_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The source registry is unavailable",
        "Longshore retries; if the error persists, ask the registry's operator.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_STALLED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The source registry stopped sending",
        "Longshore retries; check the network between Longshore and the registry.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_RATE_LIMITED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "The source registry's rate limit is reached",
        "The import resumes automatically; credentials usually raise the limit.",
        retryable=True,
        parks=True,
    ),
    _source(
        Code.SOURCE_PROTOCOL_ERROR,
        HTTPStatus.BAD_GATEWAY,
        "The source does not respond like a registry",
        "Check that the address is that of a container registry.",
    ),
    _source(
        Code.MANIFEST_UNSUPPORTED,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The source's manifest cannot be imported",
        "Push the image again with a current tool, as an OCI or Docker schema 2 image.",
    ),
    _source(
        Code.IMAGE_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image exceeds a limit",
        "`detail` names the limit; choose fewer platforms. Operators set MAX_IMAGE_BYTES and MAX_BLOB_BYTES.",
    ),
    _source(
        Code.MANIFEST_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "The source's manifest does not match its digest",
        "The registry or a proxy in front of it alters content; do not trust this copy.",
    ),
    _source(
        Code.PLATFORM_NOT_AVAILABLE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image is not available for this platform",
        "Choose one of the platforms named in `detail`.",
    ),
    _source(
        Code.BLOB_NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        "A layer is missing at the source",
        "The image is incomplete at the source; push it again.",
    ),
    _source(
        Code.BLOB_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "A layer's bytes do not match its digest",
        "The source or a proxy alters content; the import published nothing.",
    ),
    _source(
        Code.DOCKER_ENGINE_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The Docker Engine is unavailable",
        "Longshore retries; operators: check the engine that the workers' DOCKER_HOST names.",
        retryable=True,
    ),
    # The target.
    _target(
        Code.TARGET_NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        "The target registry does not have the image",
        "Import it again; another client deleted it there.",
    ),
    _target(
        Code.TARGET_DENIED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry denies Longshore access",
        "Operators: check TARGET_USERNAME, TARGET_PASSWORD and the account's permissions in the project.",
    ),
    _target(
        Code.TARGET_UNREACHABLE,
        HTTPStatus.BAD_GATEWAY,
        "The target registry cannot be reached",
        "Longshore retries; operators: check TARGET_URL and the network.",
        retryable=True,
    ),
    _target(
        Code.TARGET_TLS_FAILED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry's TLS certificate is not trusted",
        "Operators: add its certificate authority to CA_FILES.",
    ),
    _target(
        Code.TARGET_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The target registry is unavailable",
        "Longshore retries; operators: check the target's logs.",
        retryable=True,
    ),
    _target(
        Code.TARGET_STALLED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The target registry stopped accepting data",
        "Longshore retries; operators: check the target's storage.",
        retryable=True,
    ),
    _target(
        Code.TARGET_RATE_LIMITED,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target registry's rate limit is reached",
        "The import resumes automatically.",
        retryable=True,
        parks=True,
    ),
    _target(
        Code.TARGET_REFUSED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry rejects the image",
        "`detail` quotes the registry's reason: a quota, an immutable tag, or a policy.",
    ),
    _target(
        Code.TARGET_PROJECT_MISSING,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The target has no such project",
        "Choose another project in `target`, or ask the target's operator to create this one.",
    ),
    _target(
        Code.TARGET_QUOTA_EXCEEDED,
        HTTPStatus.CONFLICT,
        "The image exceeds the quota of the target's project",
        "Delete unused images and run the target's garbage collection, or ask for a larger quota.",
    ),
    _target(
        Code.TARGET_IMMUTABLE_TAG,
        HTTPStatus.CONFLICT,
        "The tag is immutable in the target",
        "A rule of the target's project protects the tag; use another tag, or ask the project's administrator.",
    ),
    _target(
        Code.TARGET_TAG_FOREIGN,
        HTTPStatus.CONFLICT,
        "Longshore did not write the target's tag",
        "Choose another `target`. Replacing the tag needs `force`, and an import rule that allows it; admins need "
        "`force` alone.",
    ),
    _target(
        Code.TARGET_ARTIFACT_REFERENCED,
        HTTPStatus.CONFLICT,
        "The image is part of a multi-platform image in the target",
        "Delete the multi-platform image first.",
    ),
    _target(
        Code.TARGET_DELETE_REFUSED,
        HTTPStatus.CONFLICT,
        "The target rejects the deletion",
        "`detail` quotes the target's reason.",
    ),
    _target(
        Code.DELETION_UNFINISHED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The target has not finished the deletion yet",
        "Longshore continues the deletion. Check the image in a moment: it is gone, or it is still there.",
        retryable=True,
    ),
    _target(
        Code.TARGET_STATISTICS_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target does not report its statistics",
        "Try again in a moment; if the error persists, ask the target's operator.",
        retryable=True,
    ),
    _target(
        Code.TARGET_READ_ONLY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target is in read-only mode",
        "Maintenance is the usual reason; try again later.",
        retryable=True,
    ),
    _target(
        Code.TARGET_PROTOCOL_ERROR,
        HTTPStatus.BAD_GATEWAY,
        "The target does not respond like a registry",
        "Operators: check that TARGET_URL is the address of the registry itself.",
    ),
    _target(
        Code.TARGET_BLOB_UNKNOWN,
        HTTPStatus.BAD_GATEWAY,
        "The target lost a layer",
        "Longshore retries; garbage collection at the target is the usual cause.",
        retryable=True,
    ),
    _target(
        Code.TARGET_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "The target serves another digest than Longshore pushed",
        "Longshore retries; if the error persists, another client writes this tag.",
        retryable=True,
    ),
)

ERROR_KINDS: Mapping[Code, ErrorKind] = {kind.code: kind for kind in _KINDS}
