"""What the `longshore` command's exit status says."""

from enum import IntEnum
from http import HTTPStatus

from longshore_client.errors import ApiError, ClientError


class ExitCode(IntEnum):
    """Stable: scripts match on them."""

    DONE = 0
    FAILED = 1
    """An import failed or was cancelled, the API refused, or the doctor found something."""
    USAGE = 2
    """The command line cannot be meant like that."""
    UNREACHABLE = 3
    """The API does not answer, or what answers is no Longshore API."""
    DENIED = 4
    """Nobody is signed in, the token is not good, or its role does not allow this."""
    NOT_FOUND = 5
    """There is no such image or registry."""
    INTERRUPTED = 130
    """Ctrl-C; what the API has accepted goes on, unless it was cancelled."""


_BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: ExitCode.DENIED,
    HTTPStatus.FORBIDDEN: ExitCode.DENIED,
    HTTPStatus.NOT_FOUND: ExitCode.NOT_FOUND,
}
_OURS = "longshore"


def exit_code_of(error: ClientError) -> ExitCode:
    """Return the status for an error; 403 and 404 from the source or the target are failures like others."""
    if isinstance(error, ApiError):
        ours = error.problem.side == _OURS
        return _BY_STATUS.get(HTTPStatus(error.status), ExitCode.FAILED) if ours else ExitCode.FAILED
    return ExitCode.UNREACHABLE
