"""The tests and endpoints that the documents name exist."""

import ast
import re
from functools import cache
from pathlib import Path

from api_service.routes import ALL_ROUTES
from tests.api_service.who_may import document_table

TESTS = Path(__file__).parent.parent
API = (TESTS.parent / "docs" / "api.md").read_text()
REGISTRIES = (TESTS.parent / "docs" / "registries.md").read_text()
_TEST = re.compile(r"`([a-z_/]+/test_\w+\.py)::(test_\w+)`")


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def rows() -> list[list[str]]:
    table = API[API.index("| endpoint |") :].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("|")]


def test_every_test_named_in_the_api_document_exists() -> None:
    """Every documented behaviour names a test."""
    assert len(rows()) > 50
    for endpoint, _, behaviour, tests in rows():
        named = _TEST.findall(tests)
        assert named, (endpoint, behaviour)
        assert len(named) == tests.count("::"), tests
        for file, name in named:
            assert name in functions(file), f"{file} has no {name}"


def test_the_table_of_callers_is_the_one_that_is_tested() -> None:
    """Each cell is a case of `test_who_may`; `python -m tests.api_service.who_may` prints the lines."""
    table = API[API.index("| operation |") : API.index("| endpoint |")].splitlines()[2:]
    assert [line for line in table if line.startswith("|")] == document_table()


def test_every_test_named_beside_a_registry_exists() -> None:
    """A test covers every documented deviation of a registry, as in the API document."""
    table = [line for line in REGISTRIES.splitlines() if line.startswith("| ") and "::test_" in line]
    lines = [line for line in REGISTRIES.splitlines() if line.startswith("|")]
    # Three tables, each with two header lines.
    assert len(table) == len(lines) - 6 > 30
    for line in table:
        named = _TEST.findall(line)
        assert len(named) == line.count("::"), line
        for file, name in named:
            assert name in functions(file), f"{file} has no {name}"


def test_every_endpoint_is_in_the_api_document() -> None:
    described = {row[0].strip("`") for row in rows()} - {"every endpoint"}
    assert described == {f"{route.method} {route.path}" for route in ALL_ROUTES}
