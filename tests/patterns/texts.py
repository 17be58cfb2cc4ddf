"""Texts that make a pattern try as much as it can: made from the pattern itself, by its repetitions."""

import importlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

# The parser of the standard library, which has no public name.
_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")

SIZE = 32 * 1024
# Different texts that fit a class of characters, or the branches of an alternative.
VARIANTS = 4
# Ends that most patterns do not allow, so that everything before them is tried again.
ENDS = ("", "!", "\0", "\n", "é")
# One-character and other common texts, for what the pattern does not repeat itself.
COMMON = (
    "a",
    "A",
    "0",
    "f",
    " ",
    "\t",
    "\n",
    ".",
    "-",
    "_",
    "/",
    ":",
    ",",
    ";",
    "=",
    '"',
    "\\",
    "\\a",
    "<>;",
    "[",
    "é",
)
# Characters that are tried for a class: each kind that a pattern may name.
_CANDIDATES = "a0 .-_:/A,;=\"\\<>[]{}()!#$%&'*+^`|~@?\t\n\x01é"

_REPEATS = frozenset(
    getattr(_constants, name) for name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") if hasattr(_constants, name)
)


def adversarial_texts(pattern: re.Pattern[Any]) -> list[str]:
    """Return texts of SIZE characters for this pattern, each once."""
    nodes = list(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    pieces = dict.fromkeys([*COMMON, *_pieces(nodes)])
    texts = [(_filled(piece) + end)[-SIZE:] for piece in pieces if piece for end in ENDS]
    for before, body in dict.fromkeys(_repetitions(nodes)):
        if body:
            texts += [before + _filled(body) + end for end in ENDS]
    return list(dict.fromkeys(texts))


def _filled(piece: str) -> str:
    return piece * (SIZE // len(piece))


def _pieces(nodes: Sequence[Any]) -> Iterator[str]:
    """Yield samples of the pattern and of its beginnings: repeated, each begins a match that may not end."""
    for variant in range(VARIANTS):
        for end in range(1, len(nodes) + 1):
            yield _sample(nodes[:end], variant)


def _repetitions(nodes: Sequence[Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield each repetition of the pattern: a text that leads to it, and a text to repeat."""
    for position, (kind, value) in enumerate(nodes):
        lead = before + _sample(nodes[:position], 0)
        if kind in _REPEATS:
            body = list(value[2])
            following = _sample(nodes[position + 1 :], 0)
            for variant in range(VARIANTS):
                yield lead, _sample(body, variant)
                yield lead, _sample(body, variant) + following
            yield from _repetitions(body, lead)
        for inner in _inside(kind, value):
            yield from _repetitions(inner, lead)


def _inside(kind: Any, value: Any) -> Iterator[Sequence[Any]]:
    if kind is _constants.SUBPATTERN:
        yield list(value[-1])
    elif kind is _constants.BRANCH:
        yield from (list(branch) for branch in value[1])
    elif kind in (_constants.ASSERT, _constants.ASSERT_NOT):
        yield list(value[1])


def _sample(nodes: Sequence[Any], variant: int) -> str:
    """Return a text that these parts of a pattern match, without their conditions."""
    return "".join(_part(kind, value, variant) for kind, value in nodes)


def _part(kind: Any, value: Any, variant: int) -> str:
    if kind is _constants.LITERAL:
        return chr(value)
    if kind in (_constants.IN, _constants.ANY, _constants.NOT_LITERAL):
        return _character(kind, value, variant)
    if kind in _REPEATS:
        return _sample(list(value[2]), variant) * max(1, int(value[0]))
    if kind is _constants.SUBPATTERN:
        return _sample(list(value[-1]), variant)
    if kind is _constants.BRANCH:
        branches = value[1]
        return _sample(list(branches[variant % len(branches)]), variant)
    return ""


def _character(kind: Any, value: Any, variant: int) -> str:
    if kind is _constants.ANY:
        return _CANDIDATES[variant]
    if kind is _constants.NOT_LITERAL:
        return next(each for each in _CANDIDATES[variant:] if ord(each) != value)
    negated = value[0][0] is _constants.NEGATE
    members = value[1:] if negated else value
    fitting = [each for each in _CANDIDATES if any(_is_in(ord(each), *member) for member in members) is not negated]
    first = [
        chr(member[1] if member[0] is _constants.LITERAL else member[1][0]) for member in members if _named(member)
    ]
    choices = [*fitting, *([] if negated else first)]
    return str(choices[variant % len(choices)]) if choices else "x"


def _named(member: Any) -> bool:
    return member[0] in (_constants.LITERAL, _constants.RANGE)


def _is_in(code: int, kind: Any, value: Any) -> bool:
    if kind is _constants.LITERAL:
        return bool(code == value)
    if kind is _constants.RANGE:
        return bool(value[0] <= code <= value[1])
    letter = {
        _constants.CATEGORY_DIGIT: r"\d",
        _constants.CATEGORY_NOT_DIGIT: r"\D",
        _constants.CATEGORY_SPACE: r"\s",
        _constants.CATEGORY_NOT_SPACE: r"\S",
        _constants.CATEGORY_WORD: r"\w",
        _constants.CATEGORY_NOT_WORD: r"\W",
    }[value]
    return re.fullmatch(letter, chr(code)) is not None
