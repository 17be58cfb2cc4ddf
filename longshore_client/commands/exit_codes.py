"""The exit statuses of the command `longshore`."""

from enum import IntEnum
from http import HTTPStatus

from longshore_client.errors import ApiError, ClientError


class ExitCode(IntEnum):
    """Stable: scripts match on them."""

    DONE = 0
    FAILED = 1
    """An import failed or was cancelled, the API refused a request, or the doctor found a fault."""
    USAGE = 2
    """The command line is not valid."""
    UNREACHABLE = 3
    """The API does not answer, or the server that answers is not a Longshore API."""
    DENIED = 4
    """The user is not signed in, the token is not valid, or its role or the import rules do not allow the operation."""
    NOT_FOUND = 5
    """There is no such image, registry, rule or token."""
    INTERRUPTED = 130
    """Ctrl-C. Accepted imports continue unless the command cancelled them."""


_BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: ExitCode.DENIED,
    HTTPStatus.FORBIDDEN: ExitCode.DENIED,
    HTTPStatus.NOT_FOUND: ExitCode.NOT_FOUND,
}
_LONGSHORE = "longshore"


def exit_code_of(error: ClientError) -> ExitCode:
    """Return the exit status for an error. A 403 or 404 of the source or the target is an ordinary failure."""
    if not isinstance(error, ApiError):
        return ExitCode.UNREACHABLE
    if error.problem.side != _LONGSHORE:
        return ExitCode.FAILED
    return _BY_STATUS.get(HTTPStatus(error.status), ExitCode.FAILED)
