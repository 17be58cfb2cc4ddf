"""Figures about the whole target."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """`images` are artifacts, whoever pushed them; `size` is in bytes of storage, None where it may not be seen.

    `complete` is False where the figures are only of those projects that the account may see.
    """

    projects: int
    images: int
    size: int | None
    complete: bool
