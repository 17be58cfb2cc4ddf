"""Reads untrusted JSON: rejects documents that are ambiguous for a later reader, or that cannot be stored."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from shared.model.integers import MAX_INT64

# A signed 64-bit integer has 19 digits and a sign; longer ones are rejected before they are converted.
_MAX_INT_LENGTH = 20
# Beyond this, one float represents several integers.
_EXACT = 2**53
# An escape may be NUL, which PostgreSQL cannot store, or half of a surrogate pair.
_ESCAPE = b"\\u"


def load_object(content: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8; raises ValueError with a sentence for a person."""
    try:
        document = json.loads(
            content.decode(),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise ValueError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ValueError("The body is nested too deeply.") from None
    if not isinstance(document, dict):
        raise ValueError("The body is JSON, but not an object.")  # noqa: TRY004 - an error of the text, like all the others
    if _ESCAPE in content and not all(map(_storable, _texts(document))):
        raise ValueError("The body has a text with a NUL character or half a surrogate pair.")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("The body names a key twice in one object.")
    return document


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INT_LENGTH or abs(int(digits)) > MAX_INT64:
        raise ValueError("The body has an integer beyond 64 bits.")
    return int(digits)


def _float(digits: str) -> float | int:
    """Return the number; a whole one as an integer, however it is written (JSON Schema, 6.1.1: 1.0 is an integer)."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("The body has a number too large to be one.")
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"The body has {name}, which is not JSON.")


def _texts(value: object) -> Iterator[str]:
    # Without recursion: a caller who is not yet known chooses the depth.
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            left += (*found, *found.values())
        elif isinstance(found, list):
            left += found


def _storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
