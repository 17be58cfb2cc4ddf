"""The images that a scenario imports, and the outcomes of their imports."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.local.stack import Image
from shared.model.states import FINAL_STATES, ImportState


@dataclass(frozen=True, kw_only=True)
class PushedImage:
    """An image in the source; `reference` is the source of import requests."""

    reference: str
    repository: str
    image: Image = field(repr=False)

    @property
    def digest(self) -> str:
        """The digest of its tag."""
        return self.image.digest


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A request that was answered with 200: its import must not be lost. `tries` counts the failed tries before."""

    pushed: PushedImage
    image_id: int
    name: str
    tries: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An import in the database.

    `seconds` is the time from its acceptance to its end, None while it is open; `ends` is the number of transitions to
    a final state. `repository` and `tag` are the image's in the target.
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
    """One recorded change of an import's state; `at` is the database's time, Unix seconds."""

    name: str
    state: ImportState
    attempt: int
    failures: int
    owner: str | None
    at: float
