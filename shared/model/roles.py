"""The roles of callers."""

from enum import StrEnum


class Role(StrEnum):
    """What a token's holder may do."""

    USER = "user"
    """Import, see all images, change own ones."""
    ADMIN = "admin"
    """As a user, with everybody's images."""
    WORKER = "worker"
    """Report progress, and nothing else."""
