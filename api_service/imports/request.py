"""What a caller asks for with POST /images:import, and what it is told."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from shared.model.credential import Credential
from shared.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """The request, checked for form; None and the empty tuple mean "not given".

    `credentials` are an account or a stored registry's name. `dry_run`: say what would happen, and do nothing.
    `referrers`: what refers to the image, such as signatures, comes along.
    """

    source: str
    source_registry: str | None = None
    target: str | None = None
    platforms: tuple[Platform, ...] = ()
    credentials: Credential | str | None = None
    description: str | None = None
    force: bool = False
    dry_run: bool = False
    referrers: bool | None = None

    def settled(self, *, referrers: bool) -> "ImportRequest":
        """Return the request with the operator's choice where it makes none."""
        return self if self.referrers is not None else replace(self, referrers=referrers)


class AnswerState(IntEnum):
    """The contract's state codes."""

    FAILED = 0
    STARTED = 1
    EXISTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAnswer:
    """The contract's answer, with the image's id and the import's name beside it."""

    state: AnswerState
    message: str
    image_id: int
    name: str

    def to_json(self) -> dict[str, Any]:
        """Return the response's body."""
        exists = self.state is AnswerState.EXISTS
        return {
            "state": int(self.state),
            "message": self.message,
            "alreadyImageId": self.image_id if exists else 0,
            "imageId": self.image_id,
            "name": self.name,
        }


def refusal_fields(message: str) -> dict[str, Any]:
    """Return what the contract wants in the body when an import was not started."""
    return {"state": int(AnswerState.FAILED), "message": message, "alreadyImageId": 0}
