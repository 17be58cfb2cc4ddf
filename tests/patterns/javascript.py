"""Finds the regular expressions of the console's scripts, as patterns of Python: its engine goes back as theirs do."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.patterns.find import METHODS, ROOT, FoundPattern, UnknownPatternError

# swagger-ui is another project's, and reads the API's own description alone.
VENDORED = ("swagger-ui-bundle.js",)
# A comment, a text, a template, a regular expression, or any other character. A slash begins an expression where a
# value may begin: after these marks, or after `return`.
_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"
    r"|(?P<before>[(,=:\[!&|?{};+\n]\s*|\breturn\s+)/(?![*/])(?P<regex>(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)/(?P<flags>[a-z]*)"
    r"|.",
    re.DOTALL,
)
_CONSTRUCTED = re.compile(r"\bRegExp\b")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def scripts() -> list[Path]:
    """Return the scripts that ship, except vendored ones."""
    return sorted(path for path in (ROOT / "api_service").rglob("*.js") if path.name not in VENDORED)


def patterns_of_script(path: Path) -> Iterator[FoundPattern]:
    """Yield the literals of a script; raises UnknownPatternError for an expression that is made when it runs."""
    text = path.read_text()
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    if _CONSTRUCTED.search(text):
        raise UnknownPatternError(f"{place}: write the regular expression as a literal")
    for token in _TOKEN.finditer(text):
        if token["regex"]:
            flags = re.RegexFlag(0)
            for letter in token["flags"]:
                flags |= _FLAGS.get(letter, re.RegexFlag(0))
            line = text.count("\n", 0, token.start("regex")) + 1
            # A script may call any method; `test` and `replace` search.
            yield FoundPattern(place=f"{place}:{line}", pattern=re.compile(token["regex"], flags), methods=METHODS)
