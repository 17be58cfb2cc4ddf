"""Every regular expression of the product reads 32 KiB of any text within 10 ms of processor time.

The tests find the expressions by themselves: a new one needs no entry here.
"""

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.patterns.find import (
    FoundPattern,
    UnknownPatternError,
    held_patterns,
    load,
    patterns_of,
    patterns_of_product,
    product_files,
)
from tests.patterns.javascript import patterns_of_script, scripts
from tests.patterns.processor_time import LIMIT, slowest
from tests.patterns.texts import SIZE, adversarial_texts

FOUND = patterns_of_product()
IN_SCRIPTS = [found for path in scripts() for found in patterns_of_script(path)]


@pytest.mark.parametrize("found", [*FOUND, *IN_SCRIPTS], ids=lambda found: found.place)
def test_no_text_keeps_a_pattern_busy(found: FoundPattern) -> None:
    """The texts repeat each repetition of the pattern, and its beginnings, with ends that it does not allow."""
    took, text = slowest(found.pattern, found.methods, adversarial_texts(found.pattern))
    assert took < LIMIT, f"{found.place}: {found.pattern.pattern!r} takes {took:.3f} s for {text}"


def test_every_pattern_that_a_module_holds_is_found() -> None:
    """A pattern that another way compiles is missed by the search in the source."""
    timed = {(found.pattern.pattern, found.pattern.flags) for found in FOUND}
    modules = [load(path) for path in product_files()]
    held = [pattern for module in modules if module for pattern in held_patterns(vars(module).values())]
    assert len(held) >= len(FOUND) // 2
    assert [pattern for pattern in held if (pattern.pattern, pattern.flags) not in timed] == []


def test_texts_are_as_long_as_a_header_may_be() -> None:
    for text in adversarial_texts(re.compile(r"(a+)b")):
        assert SIZE - 64 <= len(text) <= SIZE + 64


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(a+)+$", "match"),
        (r"(a|a)*b", "fullmatch"),
        (r"(?:[a-z]+[0-9]?)+!!", "match"),
        # Quadratic: tried again from each position, or at each end.
        (r"\s+$", "search"),
        (r"[0-9]+x", "finditer"),
        (r"x*x*x*y", "match"),
        # The one that read Link headers.
        (r"<([^>]*)>\s*((?:;[^,<]*)*)", "finditer"),
        (r'<([^>]*)>[^<]*;\s*rel="?next"?', "search"),
        (r"(.+)-(.+)-(.+)-(.+)x", "fullmatch"),
        (r"(?:a*)*b", "sub"),
    ],
)
def test_a_pattern_that_goes_back_is_found_slow(pattern: str, method: str) -> None:
    """The texts are made from the pattern alone, as for every pattern of the product."""
    took, _ = slowest(re.compile(pattern), frozenset({method}), adversarial_texts(re.compile(pattern)))
    assert took > LIMIT


MODULE = """
import re as expressions
from re import fullmatch as fits
from marshmallow import fields, validate

PART = "a+"
_CONSTANT = expressions.compile(rf"({PART})+$", expressions.IGNORECASE)
TABLE = (expressions.compile("b+"),)
class Schema:
    name = fields.String(validate=validate.Regexp(regex="c+"))

def read(text):
    import re
    return _CONSTANT.search(text), fits("d+", text), re.sub(r"e+", "", text), re.compile("f+").match(text)
"""


def module_of(folder: Path, text: str) -> tuple[Path, ModuleType]:
    path = folder / "product.py"
    path.write_text(text)
    module = ModuleType("product")
    exec(compile(text, str(path), "exec"), vars(module))
    return path, module


def test_a_new_pattern_is_found_by_itself(tmp_path: Path) -> None:
    """Constants, tables, validators and calls inside of functions are found, under any name of the import."""
    found = patterns_of(*module_of(tmp_path, MODULE))
    assert {each.pattern.pattern: each.methods for each in found if each.pattern.pattern != "b+"} == {
        "(a+)+$": {"search"},
        "c+": {"match"},
        "d+": {"fullmatch"},
        "e+": {"sub"},
        "f+": {"match"},
    }
    assert [each.pattern.flags & re.IGNORECASE for each in found if each.pattern.pattern == "(a+)+$"] == [re.IGNORECASE]
    assert "b+" in {each.pattern.pattern for each in found}


def test_a_pattern_that_is_made_at_run_time_is_refused(tmp_path: Path) -> None:
    text = "import re\ndef read(part, text):\n    return re.search(part + '+', text)\n"
    with pytest.raises(UnknownPatternError, match=r"product\.py:3"):
        patterns_of(*module_of(tmp_path, text))


def test_the_expressions_of_a_script_are_found(tmp_path: Path) -> None:
    """A division, a comment and a text with slashes are none."""
    script = tmp_path / "view.js"
    script.write_text(
        "// a /comment+/ here\nconst half = size / 2 / 3;\nconst url = '/api/v1/';\n"
        "if (/^(a+)+$/i.test(text)) done();\nreturn /[/\\]]+/.test(text) ? text.split(/\\s+/) : `/${text}/`;\n"
    )
    assert [each.pattern.pattern for each in patterns_of_script(script)] == ["^(a+)+$", r"[/\]]+", r"\s+"]
    script.write_text("const made = new RegExp(text);\n")
    with pytest.raises(UnknownPatternError):
        list(patterns_of_script(script))


def test_the_console_has_scripts_with_expressions() -> None:
    assert len(IN_SCRIPTS) >= len({found.place for found in IN_SCRIPTS}) > 0
