"""The API's instruction to a worker, in every answer about an attempt."""

from enum import StrEnum


class Action(StrEnum):
    """The instruction to the worker."""

    CONTINUE = "continue"
    """Go on with the import."""
    STOP = "stop"
    """Stop: the attempt has ended."""
