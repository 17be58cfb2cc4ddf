"""The result of one import that a caller asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore_client.errors import ApiError, ClientError
from longshore_client.images import FullImage
from longshore_client.import_details import ImportDetails, ImportFailure
from longshore_client.import_request import StartedImport

# States that the API does not have: no request was sent, it was sent, no import was needed, it was refused.
NOT_STARTED = "not started"
STARTED = "started"
ALREADY_THERE = "already there"
REFUSED = "refused"
_SUCCESSFUL = frozenset({"ready", ALREADY_THERE, STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The answers to one import, as far as there are any; `error` is the reason why there are no more."""

    source: str
    started: StartedImport | None = None
    details: ImportDetails | None = None
    image: FullImage | None = None
    error: ClientError | None = None

    @property
    def state(self) -> str:
        """The import's state, or one of the states above."""
        if self.error:
            return REFUSED
        if self.started is None:
            return NOT_STARTED
        if self.started.already:
            return ALREADY_THERE
        return self.details.state if self.details else STARTED

    @property
    def successful(self) -> bool:
        """Whether the import did all that was asked for."""
        return self.state in _SUCCESSFUL

    @property
    def failure(self) -> ImportFailure | None:
        """The reason why the import failed; None if it did not."""
        return self.details.error if self.details and not self.details.ready else None

    def to_json(self) -> Mapping[str, Any]:
        """Return the result for programs."""
        return {
            "source": self.source,
            "state": self.state,
            "imageId": self.started.image_id if self.started else None,
            "name": self.started.name if self.started else None,
            "message": self.started.message if self.started else None,
            "reference": self.image.reference if self.image else None,
            "digestReference": self.image.digest_reference if self.image else None,
            "size": self.image.size if self.image else None,
            "error": self._error_json(),
        }

    def _error_json(self) -> Mapping[str, Any] | None:
        if self.failure:
            failure = self.failure
            return {"code": failure.code, "detail": failure.detail, "hint": failure.hint, "requestId": None}
        if self.error is None:
            return None
        code, request = (self.error.code, self.error.request_id) if isinstance(self.error, ApiError) else (None, None)
        return {"code": code, "detail": self.error.message, "hint": self.error.hint, "requestId": request}
