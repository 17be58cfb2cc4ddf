"""The table of error kinds: the side, HTTP status, title and hint of each code, and whether it is retried."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from shared.errors.codes import Code, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """What is known of an error by its code alone.

    `retryable`: another try may succeed without anybody changing anything. `parks`: wait for the other side's own
    deadline, without spending one of the import's attempts.
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
        "The image reference cannot be read",
        "Write it as for docker pull: [registry/]repository[:tag][@digest].",
    ),
    _longshore(
        Code.SOURCE_REGISTRY_CONFLICT,
        HTTPStatus.BAD_REQUEST,
        "source and sourceRegistry name different registries",
        "Leave sourceRegistry out when source already names its registry.",
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
        "An import request fits in a few kilobytes.",
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
        "Send `Authorization: Bearer <token>`: an API token, which an administrator makes with "
        "`longshore-api token create`, or one of the configured identity provider.",
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
        "Use a token whose role fits: user and admin import and list, worker reports progress.",
    ),
    _longshore(Code.ROUTE_NOT_FOUND, HTTPStatus.NOT_FOUND, "There is nothing at this address", "Check the path."),
    _longshore(
        Code.METHOD_NOT_ALLOWED,
        HTTPStatus.METHOD_NOT_ALLOWED,
        "This address does not support the method",
        "The Allow header lists the methods that it does.",
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
        "The target is being written from another source",
        "Wait for the running import, or choose another target.",
    ),
    _longshore(
        Code.IMPORT_SUPERSEDED,
        HTTPStatus.CONFLICT,
        "The import no longer belongs to this attempt",
        "Stop working on it: it has ended, or another worker has it.",
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
        "The registry is stored already",
        "Change the stored one, or choose another name.",
    ),
    _longshore(
        Code.REGISTRY_LIMIT_REACHED,
        HTTPStatus.CONFLICT,
        "No more registries can be stored",
        "Delete those that are no longer imported from.",
    ),
    _longshore(
        Code.DRY_RUN_TIMEOUT,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The import could not be planned in time",
        "The source or the target is slow; try again, or start the import, which has all the time it needs.",
        retryable=True,
    ),
    _longshore(
        Code.IMAGE_BEING_DELETED,
        HTTPStatus.CONFLICT,
        "The image is being deleted",
        "Try again in a moment: then it is gone, or its deletion has failed.",
        retryable=True,
    ),
    _longshore(
        Code.IMPORT_FINISHING,
        HTTPStatus.CONFLICT,
        "An import is writing a tag in this repository",
        "Try again in a moment, when it has ended.",
        retryable=True,
    ),
    _longshore(
        Code.IMPORT_NOT_OPEN,
        HTTPStatus.CONFLICT,
        "No import of this image is under way",
        "There is nothing to cancel.",
    ),
    _longshore(
        Code.IMPORT_NOT_RETRYABLE,
        HTTPStatus.CONFLICT,
        "The image's newest import did not fail",
        "Only a failed or cancelled import is tried again; to import a ready image anew, import it with `force`.",
    ),
    _longshore(
        Code.REPOSITORY_BUSY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "An image is being deleted in this repository",
        "The worker asks again until that has ended, and writes its tag then.",
        retryable=True,
    ),
    _longshore(
        Code.INTERNAL_ERROR,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Longshore failed",
        "Tell your operator the request id; the logs have the cause.",
        retryable=True,
    ),
    _longshore(
        Code.DATABASE_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Longshore's database does not answer",
        "Try again in a moment.",
        retryable=True,
    ),
    _longshore(
        Code.OIDC_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity provider does not answer",
        "Try again in a moment; API tokens work meanwhile.",
        retryable=True,
    ),
    # Between a worker and the API.
    _longshore(
        Code.API_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Longshore's API does not answer its worker",
        "The worker keeps trying; look at the API's readiness.",
        retryable=True,
    ),
    _longshore(
        Code.API_REFUSED,
        HTTPStatus.BAD_GATEWAY,
        "Longshore's API refuses its worker",
        "Operators: WORKER_TOKEN must be a valid token with the role worker, and both services of one release.",
    ),
    _longshore(
        Code.DOCKER_SOURCE_DISABLED,
        HTTPStatus.FORBIDDEN,
        "Images on a Docker Engine may not be imported here",
        "Operators: DOCKER_SOURCE of the API says who may, and every worker needs DOCKER_HOST.",
    ),
    # An import's own fate.
    _longshore(
        Code.WORKER_LOST,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The workers that ran the import ended without a word",
        "Look at the workers' logs; memory and restarts are the usual causes.",
        retryable=True,
    ),
    _longshore(
        Code.CREDENTIALS_UNREADABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The import's credentials cannot be decrypted",
        "Start the import again; operators: every service needs the same SECRET_KEYS.",
    ),
    # The source.
    _source(
        Code.SOURCE_NOT_FOUND,
        HTTPStatus.NOT_FOUND,
        "The source image does not exist",
        "Check repository and tag; a private image also looks like this without credentials.",
    ),
    _source(
        Code.SOURCE_DENIED,
        HTTPStatus.FORBIDDEN,
        "The source registry refuses access",
        "The image does not exist or needs other credentials; send `credentials` with the import.",
    ),
    _source(
        Code.SOURCE_UNREACHABLE,
        HTTPStatus.BAD_GATEWAY,
        "The source registry cannot be reached",
        "Check the registry's address, and that Longshore's network reaches it.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_HOST_REFUSED,
        HTTPStatus.FORBIDDEN,
        "Longshore may not call this address",
        "Private and loopback addresses are refused unless an operator lists them in ALLOWED_PRIVATE.",
    ),
    _source(
        Code.SOURCE_TLS_FAILED,
        HTTPStatus.BAD_GATEWAY,
        "The source registry's TLS certificate is not trusted",
        "An operator can add its authority with CA_FILES, or list a plain-http host in PLAIN_HTTP_HOSTS.",
    ),
    _source(
        Code.SOURCE_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The source registry failed to answer",
        "It is tried again; if it stays so, ask who runs the registry.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_STALLED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The source registry stopped sending",
        "It is tried again; check the network between Longshore and the registry.",
        retryable=True,
    ),
    _source(
        Code.SOURCE_RATE_LIMITED,
        HTTPStatus.TOO_MANY_REQUESTS,
        "The source registry's rate limit is reached",
        "The import resumes by itself; credentials usually raise the limit.",
        retryable=True,
        parks=True,
    ),
    _source(
        Code.SOURCE_PROTOCOL_ERROR,
        HTTPStatus.BAD_GATEWAY,
        "The source does not answer as a registry does",
        "Check that the address is a container registry's.",
    ),
    _source(
        Code.MANIFEST_UNSUPPORTED,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The source's manifest cannot be imported",
        "Push the image again with a current tool, as an OCI or Docker schema 2 image.",
    ),
    _source(
        Code.MANIFEST_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "The source's manifest does not match its digest",
        "The registry or something before it alters content; do not trust this copy.",
    ),
    _source(
        Code.PLATFORM_NOT_AVAILABLE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image does not exist for this platform",
        "Choose from the platforms named in `detail`.",
    ),
    _source(
        Code.BLOB_NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        "A layer is missing at the source",
        "The image is incomplete there; push it again.",
    ),
    _source(
        Code.BLOB_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "A layer's bytes do not match its digest",
        "The source, or something between, alters content; nothing of it was published.",
    ),
    _source(
        Code.DOCKER_ENGINE_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The Docker Engine failed to answer",
        "It is tried again; operators: look at the engine that the workers' DOCKER_HOST names.",
        retryable=True,
    ),
    # The target.
    _target(
        Code.TARGET_NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        "The target registry does not have the image",
        "Import it again; it was deleted there by something else.",
    ),
    _target(
        Code.TARGET_DENIED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry refuses Longshore",
        "Operators: check TARGET_USERNAME, TARGET_PASSWORD and the account's rights on the project.",
    ),
    _target(
        Code.TARGET_UNREACHABLE,
        HTTPStatus.BAD_GATEWAY,
        "The target registry cannot be reached",
        "It is tried again; operators: check TARGET_URL and the network.",
        retryable=True,
    ),
    _target(
        Code.TARGET_TLS_FAILED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry's TLS certificate is not trusted",
        "Operators: add its authority with CA_FILES.",
    ),
    _target(
        Code.TARGET_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        "The target registry failed to answer",
        "It is tried again; operators: look at the target's own logs.",
        retryable=True,
    ),
    _target(
        Code.TARGET_STALLED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The target registry stopped taking data",
        "It is tried again; operators: look at the target's storage.",
        retryable=True,
    ),
    _target(
        Code.TARGET_RATE_LIMITED,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target registry's rate limit is reached",
        "The import resumes by itself.",
        retryable=True,
        parks=True,
    ),
    _target(
        Code.TARGET_REFUSED,
        HTTPStatus.BAD_GATEWAY,
        "The target registry does not take the image",
        "`detail` has the registry's own reason: a quota, an immutable tag, or a policy.",
    ),
    _target(
        Code.TARGET_PROJECT_MISSING,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The target has no such project",
        "Choose another project in `target`, or ask who runs the target to create this one.",
    ),
    _target(
        Code.TARGET_QUOTA_EXCEEDED,
        HTTPStatus.CONFLICT,
        "The target's project has no room for the image",
        "Delete what is no longer needed and let the target collect its garbage, or ask for a larger quota.",
    ),
    _target(
        Code.TARGET_IMMUTABLE_TAG,
        HTTPStatus.CONFLICT,
        "The tag is immutable in the target",
        "A rule of the target's project protects it; use another tag, or ask the project's administrator.",
    ),
    _target(
        Code.TARGET_ARTIFACT_REFERENCED,
        HTTPStatus.CONFLICT,
        "A multi-platform image in the target is made of this one",
        "Delete the image that it is a part of first.",
    ),
    _target(
        Code.TARGET_DELETE_REFUSED,
        HTTPStatus.CONFLICT,
        "The target does not let the image be deleted",
        "`detail` has the target's own reason.",
    ),
    _target(
        Code.DELETION_UNFINISHED,
        HTTPStatus.GATEWAY_TIMEOUT,
        "The target has not ended its part of the deletion yet",
        "It goes on by itself. Look at the image in a moment: it is gone then, or it is still there.",
        retryable=True,
    ),
    _target(
        Code.TARGET_STATISTICS_UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target does not tell its figures",
        "Try again in a moment; if it stays so, ask who runs the target.",
        retryable=True,
    ),
    _target(
        Code.TARGET_READ_ONLY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The target takes no changes at the moment",
        "It is in read-only mode, for maintenance as a rule; try again later.",
        retryable=True,
    ),
    _target(
        Code.TARGET_PROTOCOL_ERROR,
        HTTPStatus.BAD_GATEWAY,
        "The target does not answer as a registry does",
        "Operators: check that TARGET_URL is the registry's own address.",
    ),
    _target(
        Code.TARGET_BLOB_UNKNOWN,
        HTTPStatus.BAD_GATEWAY,
        "The target lost a layer that it had",
        "It is tried again; garbage collection at the target is the usual cause.",
        retryable=True,
    ),
    _target(
        Code.TARGET_DIGEST_MISMATCH,
        HTTPStatus.BAD_GATEWAY,
        "The target serves another digest than the one it was given",
        "It is tried again; if it stays so, something else writes this tag.",
        retryable=True,
    ),
)

ERROR_KINDS: Mapping[Code, ErrorKind] = {kind.code: kind for kind in _KINDS}
