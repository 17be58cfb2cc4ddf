"""Figures about the target as GET /harbor/stats tells them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from api_service.web.times import rfc3339
from shared.db.images import ManagedFigures
from shared.target.statistics import TargetStatistics

NOT_SEEN = (
    "The target's account is no system administrator: projects and images are those that it may see, and totalSize "
    "adds up the images that Longshore manages."
)
NOT_TOLD = "This target does not tell its storage: totalSize adds up the images that Longshore manages."
NO_FIGURES = "A plain registry has no figures of its own: all of these are of the images that Longshore manages."


class Scope(StrEnum):
    """What the counts are of."""

    TARGET = "target"
    """Everything in the target."""
    VISIBLE = "visible"
    """What the target's account may see there."""
    MANAGED = "managed"
    """The ready images that Longshore manages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """`size` is in bytes; where the target's storage is not visible, it adds up the managed images' sizes."""

    projects: int
    images: int
    size: int
    scope: Scope
    storage_visible: bool
    message: str | None
    as_of: datetime

    @classmethod
    def of(cls, told: TargetStatistics | None, managed: ManagedFigures) -> "TargetFigures":
        """Take what the target tells, and for the rest what Longshore knows itself."""
        now = datetime.now(UTC)
        if told is None:
            return cls(
                projects=managed.projects,
                images=managed.images,
                size=managed.size,
                scope=Scope.MANAGED,
                storage_visible=False,
                message=NO_FIGURES,
                as_of=now,
            )
        return cls(
            projects=told.projects,
            images=told.images,
            size=managed.size if told.size is None else told.size,
            scope=Scope.TARGET if told.complete else Scope.VISIBLE,
            storage_visible=told.size is not None,
            message=_message(told),
            as_of=now,
        )

    def to_json(self, *, age: float, trouble: str | None) -> dict[str, Any]:
        """Return the contract's fields with ours beside them; `age` is in seconds."""
        stale = f"The target did not answer, these are its last figures: {trouble}" if trouble else None
        return {
            "totalProjects": self.projects,
            "totalImages": self.images,
            "totalSize": self.size,
            "scope": self.scope.value,
            "storageVisible": self.storage_visible,
            "asOf": rfc3339(self.as_of),
            "ageSeconds": int(age),
            "message": " ".join(filter(None, (stale, self.message))) or None,
        }


def _message(told: TargetStatistics) -> str | None:
    if not told.complete:
        return NOT_SEEN
    return NOT_TOLD if told.size is None else None
