"""Makes texts from other systems safe to print."""

import unicodedata

# Unicode categories of characters that move cursors, colour, hide, or reverse the direction of reading.
_UNSAFE = frozenset({"Cc", "Cf", "Cs"})
_BLANKS = str.maketrans("\n\r\t", "   ")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def safe(text: str) -> str:
    """Return the text in one line, without characters that a terminal interprets."""
    line = text.translate(_BLANKS)
    return "".join(_REPLACEMENT if unicodedata.category(letter) in _UNSAFE else letter for letter in line)
