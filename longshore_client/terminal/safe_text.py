"""Other people's words on somebody's terminal."""

import unicodedata

# Control and format characters move cursors, colour, hide, or turn the reading direction around.
_UNSAFE = frozenset({"Cc", "Cf", "Cs"})
_BLANKS = str.maketrans("\n\r\t", "   ")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def safe(text: str) -> str:
    """Return one line without anything that a terminal would obey."""
    line = text.translate(_BLANKS)
    return "".join(_REPLACEMENT if unicodedata.category(letter) in _UNSAFE else letter for letter in line)
