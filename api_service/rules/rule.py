"""The words of an import rule: its subjects, the placeholders of its targets, and its limits by name."""

from enum import StrEnum

EVERYBODY = "everybody"
USER_PREFIX = "user:"
GROUP_PREFIX = "group:"


class Placeholder(StrEnum):
    """A placeholder in a target's pattern; it stands for a whole part, or for several."""

    USER = "user"
    """The caller's subject: the user's name in an API token, `sub` or OIDC_USER_CLAIM in a JWT."""
    GROUP = "group"
    """Each of the caller's groups."""
    DEFAULT_PROJECT = "defaultProject"
    """The setting DEFAULT_PROJECT."""
    SOURCE = "source"
    """The source's host and repository, as the name that an import gets without `target` has them."""


class Limit(StrEnum):
    """A limit of a rule, by its name in the API. Each is counted for each user by itself."""

    IMAGE_BYTES = "maxImageBytes"
    """Bytes of one image: all its blobs and manifests."""
    OPEN_IMPORTS = "maxOpenImports"
    """Imports that are queued, running or waiting."""
    MONTH_BYTES = "maxBytesPerMonth"
    """Bytes of all images imported in a calendar month, UTC."""
