"""What a deletion took away from the target."""

from enum import StrEnum


class Removal(StrEnum):
    """Content goes only when nothing else in its repository needs it."""

    TAG = "tag"
    """The tag; its manifest stays, because another tag, an index or another managed image has it."""
    MANIFEST = "manifest"
    """The tag and its manifest."""
    NOTHING = "nothing"
    """It was gone, or the tag points to something else by now, where it stays."""
