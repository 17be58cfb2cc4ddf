"""Hooks that schemathesis loads: they make well-formed requests meaningful for the running stack.

A schema says neither which images exist nor how numbers depend on each other. The hooks let valid requests name an
image, an account and a target of the running stack; they leave invalid requests as they are.
"""

import hashlib
import os
from typing import Any

import schemathesis

from api_service.web.openapi.words import WORDS

SOURCE = os.environ["FUZZ_SOURCE"]
STORED = os.environ["FUZZ_STORED"]
# The ids of the tokens that the run itself uses; and one that no token has.
STACK_TOKENS = frozenset(map(str, range(10)))
UNUSED_TOKEN = 2**40
_REAL = {
    "source": SOURCE,
    "sourceRegistry": SOURCE.partition("/")[0],
    "target": "fuzzed/app:1.0",
    "platforms": ["linux/amd64"],
}
# Patterns and names have a grammar that the schema does not state.
_GRAMMAR = {
    "subjects": ["everybody"],
    "sources": ["**"],
    "targets": ["**"],
    "access": {"subjects": ["everybody"], "repositories": ["**"], "targets": ["**"]},
    "groups": ["ml"],
    "user": "ada",
    "userName": "ada",
}


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    if "image-registries/{id}" in case.path and case.method != "GET" and str(case.path_parameters["id"]) == "1":
        # The stored account stays, so that imports can name it.
        case.path_parameters["id"] = 2
    if "/tokens/{id}" in case.path and str(case.path_parameters["id"]) in STACK_TOKENS:
        case.path_parameters["id"] = UNUSED_TOKEN
    if case.meta and case.meta.generation.mode.is_positive and isinstance(case.body, dict):
        _make_real(case.operation.label, case.body)


def _make_real(operation: str, body: dict[str, Any]) -> None:
    body |= {name: value for name, value in _GRAMMAR.items() if body.get(name) is not None}
    if operation.endswith(("/images:import", "/import-rules:check")):
        body |= {name: value for name, value in _REAL.items() if body.get(name) is not None}
    if operation.endswith("/progress"):
        _make_real_report(body)
    if isinstance(body.get("credentials"), str):
        body["credentials"] = STORED
    if isinstance(body.get("url"), str):
        body["url"] = f"https://{hashlib.sha256(body['url'].encode()).hexdigest()[:12]}.example.com"


def _make_real_report(body: dict[str, Any]) -> None:
    """Remove fields that a later release may have added: even those must not hold NUL or an unbounded integer."""
    layers = list(body.get("layers", {}).values())
    for name, part in (
        ("ProgressReport", body),
        ("ReportedError", body.get("error")),
        ("ReportedContent", body.get("content")),
        *(("ReportedLayer", layer) for layer in layers),
    ):
        for field in set(part or ()) - WORDS[name].keys():
            del part[field]
    for layer in layers:
        layer["offset"] = min(layer["offset"], layer["size"])
