"""The requests to import an image or to retry an import, and the answer to both."""

from dataclasses import dataclass, replace
from enum import IntEnum

from shared.model.credential import Credential
from shared.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """A request to import an image, checked for form; None and the empty tuple mean "not given".

    `credentials` are an account or a stored registry's name. `dry_run` asks for a preview instead of an import.
    `referrers` asks for the image's referrers, such as signatures, to be imported with it.
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

    def with_defaults(self, *, referrers: bool) -> "ImportRequest":
        """Return the request with the operator's defaults for fields that it leaves open."""
        return self if self.referrers is not None else replace(self, referrers=referrers)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """An account of the source, or a stored registry's name; those of the first request are deleted when it ends."""

    credentials: Credential | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheckRequest:
    """An import to compare with the rules, for the caller, or for another user with these groups."""

    source: str
    target: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()


class AnswerState(IntEnum):
    """The contract's state codes."""

    FAILED = 0
    """The import was not started."""
    STARTED = 1
    """The import was started, or joined the one under way."""
    EXISTS = 2
    """The target has the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAnswer:
    """The contract's answer, with the image's id and the import's name."""

    state: AnswerState
    message: str
    image_id: int
    name: str
