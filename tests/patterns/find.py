"""Finds every regular expression of the product by itself.

Each call of a function of `re`, and of marshmallow's `Regexp`, is found in the source, under whatever name the module
has imported it. Its pattern is computed in the module's own namespace, so that it may use the module's constants.
"""

import ast
import importlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from marshmallow import validate

ROOT = Path(__file__).parents[2]
PRODUCT = ("api_service", "import_worker", "longshore_client", "shared")
# Loaded by the migration tool alone, which runs them at their import.
NOT_IMPORTED = ("shared/db/migrations/env.py",)
# The methods that read a text. `search` and the last ones try each of its positions.
METHODS = frozenset({"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
# Raised where a pattern needs a value that only a running function has.
_NOT_COMPUTED = (AssertionError, AttributeError, NameError, TypeError, ValueError, re.error)
_FUNCTIONS = {getattr(re, name): name for name in METHODS}


@dataclass(frozen=True, kw_only=True)
class FoundPattern:
    """A pattern, the methods that the product calls on it, and its place as `file:line`."""

    place: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


class UnknownPatternError(Exception):
    """A pattern that is known only when the product runs, so that no test can time it."""


def product_files() -> Iterator[Path]:
    """Yield every module that ships."""
    for package in PRODUCT:
        yield from sorted((ROOT / package).rglob("*.py"))


def patterns_of_product() -> list[FoundPattern]:
    """Return the patterns of all modules that ship."""
    return [found for path in product_files() for found in patterns_of(path, load(path))]


def load(path: Path) -> ModuleType | None:
    """Import a module of the product; None for one that only the migration tool loads."""
    relative = path.relative_to(ROOT)
    if relative.as_posix() in NOT_IMPORTED:
        return None
    parts = relative.with_suffix("").parts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def patterns_of(path: Path, module: ModuleType | None) -> list[FoundPattern]:
    """Return the patterns of one file; raises UnknownPatternError for one that cannot be computed."""
    tree = ast.parse(path.read_text())
    names = {**vars(module or re), **_imported_inside(tree)}
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        called = _called(node, names)
        if isinstance(node, ast.Call) and called:
            place = f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{node.lineno}"
            methods = _methods(node, called, parents, tree)
            found.append(FoundPattern(place=place, pattern=_compiled(node, names, place), methods=methods))
    return found


def held_patterns(values: Iterable[object]) -> Iterator[re.Pattern[Any]]:
    """Yield the compiled patterns among these values, in their containers, and in the attributes of their classes."""
    left, seen = list(values), set[int]()
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, Mapping):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            left += value
        elif isinstance(value, validate.Regexp):
            left.append(value.regex)
        elif isinstance(value, type) and value.__module__.partition(".")[0] in PRODUCT:
            left += vars(value).values()


def _imported_inside(tree: ast.AST) -> dict[str, Any]:
    """Return the names under which functions import `re`, or parts of it, for themselves."""
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {each.asname or each.name: re for each in node.names if each.name == "re"}
        elif isinstance(node, ast.ImportFrom) and node.module == "re":
            names |= {each.asname or each.name: getattr(re, each.name) for each in node.names}
    return names


def _called(node: ast.AST, names: Mapping[str, Any]) -> str | None:
    """Return what a call does with its pattern: a method's name, or `compile`; None for every other call."""
    value = _resolved(node.func, names) if isinstance(node, ast.Call) else None
    if value is re.compile:
        return "compile"
    if isinstance(value, type) and issubclass(value, validate.Regexp):
        return "match"
    return _FUNCTIONS.get(value) if callable(value) and getattr(value, "__module__", "") == "re" else None


def _resolved(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Attribute):
        return getattr(_resolved(node.value, names), node.attr, None)
    return names.get(node.id) if isinstance(node, ast.Name) else None


def _compiled(call: ast.Call, names: Mapping[str, Any], place: str) -> re.Pattern[Any]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    pattern = call.args[0] if call.args else keywords.get("regex", keywords.get("pattern"))
    flags = keywords.get("flags")
    if flags is None and len(call.args) > 1 and _called(call, names) in ("compile", "match"):
        flags = call.args[1]
    try:
        assert pattern is not None
        computed = _value(pattern, names)
        given = _value(flags, names) if flags is not None else 0
        return computed if isinstance(computed, re.Pattern) else re.compile(computed, given or 0)
    except _NOT_COMPUTED as error:
        raise UnknownPatternError(f"{place}: make the pattern a constant of its module ({error})") from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), dict(names))


def _methods(call: ast.Call, called: str, parents: Mapping[ast.AST, ast.AST], tree: ast.AST) -> frozenset[str]:
    """Return the methods called on a pattern; all of them unless it is a constant on which the module calls some."""
    if called != "compile":
        return frozenset({called})
    parent = parents[call]
    if isinstance(parent, ast.Attribute) and parent.attr in METHODS:
        return frozenset({parent.attr})
    target = parent.targets[0] if isinstance(parent, ast.Assign) else getattr(parent, "target", None)
    if not isinstance(target, ast.Name) or not target.id.startswith("_"):
        return METHODS
    uses = [
        parents[node]
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
    ]
    names = frozenset(use.attr if isinstance(use, ast.Attribute) else "" for use in uses)
    return names if names and names <= METHODS else METHODS
