"""Finds the functions of the product that read a foreign answer, and whether the boundary is around them.

A function reads one if it takes the headers or the content of an answer apart, or if it calls a parser; to pass them on
is no reading. Annotations say which value is an answer: a value that is not known to be Longshore's own counts as one.
The boundary is around a function that is decorated, and around one that is called only from within the boundary: by
such functions, or inside of a `with`.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
# What answers reach. The API's server side reads requests of its clients, which are another matter.
FOREIGN = (
    *("shared/http_client", "shared/registry", "shared/harbor", "shared/target", "shared/rate_limits"),
    *("shared/oci", "shared/planning", "import_worker", "api_service/imports", "api_service/images"),
    *("api_service/registries", "api_service/status", "api_service/auth/issuer_documents.py"),
)
DECORATORS = frozenset({"reads_answer", "reads_content", "reads_hint"})
CONTEXTS = frozenset({"refused_if_unreadable", "_readable", "_translated", "_readable_issuer"})
# Functions of libraries that raise what their input wants.
PARSERS = ("json.loads", "orjson.loads", "load_object", "parsedate_to_datetime", "datetime.fromisoformat", "frombuf")
# All that json.loads raises; a caller that handles both needs no boundary.
OF_JSON = frozenset({"ValueError", "RecursionError"})
# Functions of Python that take a value apart, although it is their argument.
CONVERSIONS = frozenset({"int", "float", "dict", "list", "tuple"})
TOUCHED = frozenset({"headers", "content", "raw_headers"})
# Types whose headers and content are Longshore's own, or were read within the boundary before.
OWN = frozenset({"Request", "RegistryRequest", "BulkRequest", "Manifest", "TarStream", "ProgressReport"})
# Methods with many namesakes: their calls name the class.
NAMESAKES = frozenset({"parse", "read", "of", "from_json"})


@dataclass(kw_only=True)
class Calls:
    """The names that a function calls or passes on, outside of a `with` of the boundary and within one."""

    outside: set[str] = field(default_factory=set)
    within: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A function. `name` is the form in which others call it; `reads` is what it reads, empty if nothing."""

    file: str
    title: str
    name: str
    reads: str
    guarded: bool
    calls: Calls

    @property
    def place(self) -> str:
        return f"{self.file}::{self.title}"

    def may_call(self, other: "Reader") -> bool:
        """Return whether this function can mean the other one by its name: a private one is of its own file."""
        return self.file == other.file or not other.name.lstrip(".").startswith("_")


def unguarded_readers(files: Sequence[Path] | None = None) -> list[Reader]:
    """Return the readers that the boundary is not around."""
    functions = [found for path in files or _files() for found in _functions(path)]
    guarded = {found.place for found in functions if found.guarded}
    while more := {
        found.place for found in functions if found.place not in guarded and _inside(found, functions, guarded)
    }:
        guarded |= more
    return [found for found in functions if found.reads and found.place not in guarded]


def _inside(found: Reader, functions: Sequence[Reader], guarded: set[str]) -> bool:
    """Return whether all calls of a function come from within the boundary, and there are any."""
    others = [each for each in functions if each.place != found.place and each.may_call(found)]
    outside = {each.place for each in others if found.name in each.calls.outside}
    return outside <= guarded and (bool(outside) or any(found.name in each.calls.within for each in others))


def _files() -> list[Path]:
    found: list[Path] = []
    for name in FOREIGN:
        path = ROOT / name
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def _functions(path: Path) -> Iterator[Reader]:
    file = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    for node, owner in _with_owners(ast.parse(path.read_text()), ""):
        method = f"{owner}.{node.name}" if node.name in NAMESAKES else f".{node.name}"
        yield Reader(
            file=file,
            title=f"{owner}.{node.name}" if owner else node.name,
            name=method if owner else node.name,
            reads=_reads(node),
            guarded=any(_last_name(each) in DECORATORS for each in node.decorator_list),
            calls=_calls(node, owner),
        )


def _with_owners(tree: ast.AST, owner: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Yield functions and methods with their classes; inner functions belong to the one around them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, owner
        elif isinstance(node, ast.ClassDef):
            yield from _with_owners(node, node.name)


def _reads(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    types = _types(function)
    for node in _outside(function, passed_on=False):
        if isinstance(node, ast.Attribute) and node.attr in TOUCHED and _may_be_answer(node.value, types):
            return ast.unparse(node)
        if isinstance(node, ast.Attribute | ast.Subscript) and _is_headers(node.value, types):
            return ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(PARSERS):
            return ast.unparse(node.func)
    return ""


def _types(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """Return the types of parameters, and of variables that a class is called for."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    types = {each.arg: _last_name(each.annotation) for each in given if each.annotation}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call):
            types.setdefault(node.targets[0].id, _last_name(node.value.func))
    return types


def _is_headers(value: ast.expr, types: dict[str, str]) -> bool:
    return isinstance(value, ast.Name) and types.get(value.id) == "CIMultiDictProxy"


def _may_be_answer(value: ast.expr, types: dict[str, str]) -> bool:
    """Return whether a value may be an answer; a request is Longshore's, and so is what an object holds, mostly."""
    if isinstance(value, ast.Name):
        return value.id not in ("self", "request", "cls") and types.get(value.id, "") not in OWN
    of_self = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"
    return not of_self or ast.unparse(value) == "self._response"


def _outside(node: ast.AST, *, passed_on: bool = True) -> Iterator[ast.AST]:
    """Yield what is outside of a `with` of the boundary; `passed_on`: also values that are only passed on."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.With) and _is_boundary(child):
            continue
        if isinstance(child, ast.Try) and not passed_on and _handles_json(child):
            children: list[ast.AST] = [*child.handlers, *child.orelse, *child.finalbody]
        elif not passed_on and _is_passed_on(child, node):
            children = []
        else:
            yield child
            children = [child]
        for each in children:
            yield from _outside(each, passed_on=passed_on)


def _is_passed_on(child: ast.AST, parent: ast.AST) -> bool:
    """Return whether an answer's part is another function's argument, or the result."""
    if not isinstance(child, ast.Attribute) or child.attr not in TOUCHED:
        return False
    if isinstance(parent, ast.Call):
        return child in parent.args and _last_name(parent.func) not in CONVERSIONS
    return isinstance(parent, ast.Return | ast.keyword)


def _handles_json(node: ast.Try) -> bool:
    handled = {
        _last_name(name) for each in node.handlers if each.type for name in getattr(each.type, "elts", [each.type])
    }
    parsers = [call for part in node.body for call in ast.walk(part) if isinstance(call, ast.Call)]
    return handled >= OF_JSON and all(ast.unparse(each.func) == "json.loads" for each in parsers)


def _is_boundary(node: ast.With) -> bool:
    return any(_last_name(item.context_expr) in CONTEXTS for item in node.items)


def _calls(function: ast.AST, owner: str) -> Calls:
    outside = set(_names(_outside(function), owner))
    within = set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.With) and _is_boundary(node):
            within |= set(_names(ast.walk(node), owner))
    return Calls(outside=outside, within=within)


def _names(nodes: Iterator[ast.AST], owner: str) -> Iterator[str]:
    """Yield functions by their names, methods as `.name` and as `Class.name`."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield f".{node.attr}"
            if isinstance(node.value, ast.Name):
                yield f"{owner if node.value.id in ('cls', 'self') else node.value.id}.{node.attr}"


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value).rpartition(".")[2]
    if isinstance(node, ast.Call | ast.Subscript):
        return _last_name(node.func if isinstance(node, ast.Call) else node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
