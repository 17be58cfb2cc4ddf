"""What text may consist of where people read it in a list or a log."""

from marshmallow import ValidationError


def printable(text: str) -> None:
    """Raise for control characters, half surrogate pairs and the like: they serve only to mislead."""
    if not text.isprintable():
        raise ValidationError("Has characters that cannot be printed.")
