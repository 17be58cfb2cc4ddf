"""Decides how a tag is put right after a PUT whose end is unknown. Pure.

Nothing but a digest of such a PUT is ever replaced or removed: every other one is another client's, or right.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from shared.model.states import ImageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """The image of the tag, as the API shows it; `digest` is the last one that it was ready with."""

    status: ImageStatus
    digest: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """Point the tag to this digest, which the API shows or last showed; if the target lacks that, remove the tag."""

    digest: str


class Step(Enum):
    """A decision without a digest."""

    KEEP = auto()
    """The tag and the API agree, or the tag is another client's."""
    WAIT = auto()
    """An import of the image is under way, and decides about the tag."""
    REMOVE = auto()
    """The tag must not be there."""
    HEAL = auto()
    """The target serves the image, which is shown as failed."""


Decision: TypeAlias = Point | Step


def decide_image(image: KnownImage | None, found: str | None, late: AbstractSet[str]) -> Decision:
    """Decide about an image's tag, which points to `found`; `late` are the digests of PUTs whose end is unknown.

    Without an image, it was deleted.
    """
    if image is None:
        return Step.REMOVE if found in late else Step.KEEP
    if image.status is ImageStatus.IMPORTING:
        return Step.WAIT
    if found == image.digest and found is not None:
        return Step.KEEP if image.status is ImageStatus.READY else Step.HEAL
    if found not in late:
        return Step.KEEP
    return Point(image.digest) if image.digest else Step.REMOVE


def decide_companion(
    found: str | None, late: AbstractSet[str], *, confirmed: str | None, subject_exists: bool
) -> Decision:
    """Decide about a tag that holds referrers; `confirmed` is the newest digest that it was seen to have."""
    if found not in late:
        return Step.KEEP
    if not subject_exists:
        return Step.REMOVE
    return Step.KEEP if confirmed in (None, found) else Point(str(confirmed))
