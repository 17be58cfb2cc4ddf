"""Images that a bench asks for, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.local.stack import Image
from shared.model.states import FINAL_STATES, ImportState


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An image in the source; `reference` is what a request names."""

    reference: str
    repository: str
    image: Image = field(repr=False)

    @property
    def digest(self) -> str:
        """What its tag points to."""
        return self.image.digest


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A request that was answered with 200: from here on the import may not be lost. `tries` went before."""

    wanted: Wanted
    image_id: int
    name: str
    tries: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An import as the database tells it.

    `seconds` from its acceptance to its end, None while it is open; `ends` is how often it has come to a final state.
    `repository` and `tag` are the image's in the target.
    """

    name: str
    image_id: int
    state: ImportState
    code: str | None
    repository: str
    tag: str
    digest: str | None
    attempt: int
    failures: int
    seconds: float | None
    ends: int

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of an import's state, as the database wrote it down; `at` is its own clock, Unix seconds."""

    name: str
    state: ImportState
    attempt: int
    failures: int
    owner: str | None
    at: float
