"""Checks requests and answers against Harbor's own API description (Swagger 2.0).

The description is reference data of goharbor/harbor and not in this repository: HARBOR_SWAGGER names the file; the
default is next to the checkout.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import yaml
from jsonschema import Draft4Validator, FormatChecker

from tests.shared.harbor.recorder import Exchange

ROOT = Path(__file__).resolve().parents[3]
BESIDE = ROOT.parent / "shared"
DEFAULT = BESIDE / "contract/harbor-v2.0-swagger.yaml"

# Statuses that Harbor returns but its description omits, each with its source in goharbor/harbor.
UNDESCRIBED: Mapping[tuple[str, int], str] = {
    ("deleteArtifact", 412): "tests/apitests/python/test_project_level_policy_tag_immutable.py expects it",
    ("deleteTag", 412): "src/controller/tag/controller.go, Delete",
    ("createProject", 403): "src/server/v2.0/handler/project.go, CreateProject",
}
INTEGER_BITS = {"int32": 31, "int64": 63}
# Answers to requests that violate the description, which some tests send on purpose.
CALLED_BAD = (400, 422)
# The description must list headers with this prefix; all others are HTTP's.
SPECIAL = "x-"

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value).tzinfo)


def _within(value: object, bits: int) -> bool:
    return not isinstance(value, int) or -(2**bits) <= value < 2**bits


formats.checks("int32")(lambda value: _within(value, INTEGER_BITS["int32"]))
formats.checks("int64")(lambda value: _within(value, INTEGER_BITS["int64"]))


@dataclass(frozen=True)
class Operation:
    """One operation: its id, the pattern of its path, its parameters and its responses."""

    name: str
    method: str
    path: re.Pattern[str]
    parameters: tuple[dict[str, Any], ...]
    responses: Mapping[str, dict[str, Any]]

    def takes(self, place: str) -> dict[str, dict[str, Any]]:
        return {entry["name"].lower(): entry for entry in self.parameters if entry["in"] == place}


class Description:
    """The description, made strict: an object has no other fields than the listed ones."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._definitions = {name: _strict(schema) for name, schema in document["definitions"].items()}
        self.operations = tuple(self._operations())

    def find(self, exchange: Exchange) -> Operation | None:
        """Return the operation to which Harbor would route the request; like Harbor, decode the path once."""
        path = unquote(exchange.path)
        fitting = (found for found in self.operations if found.method == exchange.method and found.path.fullmatch(path))
        return next(fitting, None)

    def complaints(self, exchange: Exchange) -> list[str]:
        """Return the violations in a request and its answer; an empty list if there are none."""
        operation = self.find(exchange)
        if operation is None:
            return [] if exchange.status == 404 else ["there is no such operation"]
        found = list(self._answer(operation, exchange))
        if exchange.status not in CALLED_BAD:
            found += self._request(operation, exchange)
        return [
            f"{operation.name} ({exchange.method} {exchange.target} -> {exchange.status}): {text}" for text in found
        ]

    def _operations(self) -> Iterator[Operation]:
        for path, methods in self._document["paths"].items():
            pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(self._document["basePath"] + path))
            for method, entry in methods.items():
                parameters = tuple(self._resolved(parameter) for parameter in entry.get("parameters", ()))
                responses = {status: self._resolved(response) for status, response in entry["responses"].items()}
                yield Operation(entry["operationId"], method.upper(), re.compile(pattern), parameters, responses)

    def _resolved(self, entry: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in entry:
            return entry
        _, kind, name = entry["$ref"].split("/")
        found: dict[str, Any] = self._document[kind][name]
        return found

    def _request(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        query = parse_qsl(exchange.query, keep_blank_values=True)
        yield from self._parameters(operation.takes("query"), query, "query")
        described = [(name, value) for name, value in exchange.sent.items() if name.startswith(SPECIAL)]
        yield from self._parameters(operation.takes("header"), described, "header")
        bodies = list(operation.takes("body").values())
        if exchange.body and not bodies:
            yield "the request has a body"
        for body in bodies:
            yield from self._json(body["schema"], exchange.body, exchange.sent, "the request")

    def _parameters(
        self, described: dict[str, dict[str, Any]], given: list[tuple[str, str]], place: str
    ) -> Iterator[str]:
        for name, text in given:
            parameter = described.get(name.lower())
            if parameter is None:
                yield f"{place} parameter {name} is not described"
            elif (value := _typed(parameter, text)) is None or not self._valid(parameter, value):
                yield f"{place} parameter {name} is not a {parameter['type']} as described"
        required = {name for name, entry in described.items() if entry.get("required")}
        for name in required - {name.lower() for name, _ in given}:
            yield f"{place} parameter {name} is missing"

    def _answer(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        response = operation.responses.get(str(exchange.status))
        if response is None and (operation.name, exchange.status) in UNDESCRIBED:
            response = {"schema": {"$ref": "#/definitions/Errors"}}
        if response is None:
            yield "the status is not described"
            return
        if "schema" in response:
            yield from self._json(response["schema"], exchange.answer, exchange.received, "the answer")
        elif exchange.answer:
            yield "the answer has a body"
        for name, header in response.get("headers", {}).items():
            value = exchange.received.get(name.lower())
            if value is not None and not self._valid(header, _typed(header, value)):
                yield f"header {name} is not a {header['type']}"
        if "X-Total-Count" in response.get("headers", {}) and "x-total-count" not in exchange.received:
            yield "a list does not say how long it is"

    def _json(self, schema: dict[str, Any], content: bytes, headers: Mapping[str, str], what: str) -> Iterator[str]:
        if not headers.get("content-type", "").startswith("application/json"):
            yield f"{what} is not called JSON"
        try:
            document = json.loads(content)
        except ValueError:
            yield f"{what} is not JSON: {content[:100]!r}"
            return
        for error in self._validator(schema).iter_errors(document):
            yield f"{what} at {error.json_path}: {error.message}"

    def _valid(self, schema: dict[str, Any], value: object) -> bool:
        kept = {key: entry for key, entry in schema.items() if key in {"type", "format", "maximum", "minLength"}}
        return self._validator(kept).is_valid(value)

    def _validator(self, schema: dict[str, Any]) -> Draft4Validator:
        return Draft4Validator({"definitions": self._definitions, "allOf": [_strict(schema)]}, format_checker=formats)


def _typed(parameter: dict[str, Any], value: str) -> object:
    """Convert a parameter's text to its described type; None if the text does not fit."""
    if parameter["type"] == "integer":
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    return {"true": True, "false": False}.get(value) if parameter["type"] == "boolean" else value


def _strict(schema: Any) -> Any:
    """Translate a Swagger schema for JSON Schema.

    Lists and maps may be null: Go writes null for one that was never created, whatever the description says (an
    artifact with `"accessories": null` is in goharbor/harbor#20092).
    """
    if isinstance(schema, list):
        return [_strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        made.setdefault("additionalProperties", False)
    nil = schema.get("type") == "array" or (schema.get("type") == "object" and "properties" not in schema)
    if isinstance(schema.get("type"), str) and (nil or schema.get("x-nullable")):
        made["type"] = [schema["type"], "null"]
    return made


def location() -> Path:
    """Return the path of the description."""
    return Path(os.environ.get("HARBOR_SWAGGER", DEFAULT))


@cache
def description() -> Description | None:
    """Return the description, or None if the file does not exist."""
    path = location()
    return Description(yaml.safe_load(path.read_text())) if path.is_file() else None
