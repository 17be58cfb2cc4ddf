"""The roles of callers."""

from enum import StrEnum


class Role(StrEnum):
    """The role of a token, which determines the allowed requests."""

    USER = "user"
    """Imports images, sees all images, changes its own images."""
    ADMIN = "admin"
    """The same as a user, but changes all images."""
    WORKER = "worker"
    """Reports progress, and nothing else."""
