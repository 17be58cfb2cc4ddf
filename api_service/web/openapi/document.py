"""Builds the OpenAPI 3.1 document from the table of routes, their operations and the schemas."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from apispec import APISpec

from api_service.web.openapi.error_answers import error_answers, possible_codes
from api_service.web.openapi.fields_plugin import fields_plugin, teach
from api_service.web.openapi.operation import JSON, Answer, Operation
from api_service.web.problems import ProblemSchema
from api_service.web.route import Route
from shared.model.integers import MAX_INT64

OPENAPI_VERSION = "3.1.0"
_ABOUT = """\
Longshore imports container images from any registry into your own, and manages what it imported.

Every endpoint under `/api/v1` needs `Authorization: Bearer <token>`: an API token (`lsh_…`), or a JWT of the
configured OIDC issuer. `x-roles` lists the roles that may call an operation.

Every error is a problem of RFC 9457, `application/problem+json`, with a stable `code`; each operation lists its codes.
Every `GET` has its `HEAD`. The API refuses unknown parameters of the list and unknown fields of a body, except in
workers' reports; answers may get further fields. Each answer has the `X-Request-ID` that the logs have; it is the
caller's own if the request had one.
"""
_SECURITY_SCHEMES: Mapping[str, Any] = {
    "apiToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "lsh_…",
        "description": "An API token, made with `longshore-api token create`.",
    },
    "oidc": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the configured OIDC issuer, made for Longshore's audience.",
    },
}
_REQUEST_ID = {"required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 128}}
_TAGS = (
    {"name": "images", "description": "Images in the target, and their imports."},
    {"name": "source registries", "description": "Stored accounts of source registries."},
    {"name": "tokens", "description": "API tokens: your own, and for admins all users'."},
    {"name": "target", "description": "The target's own figures."},
    {"name": "workers", "description": "For import workers only."},
    {"name": "service", "description": "Health, and this document."},
)


_IN_PATH = re.compile(r"{(\w+)}")
_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "id": {
        "description": "The id, as in the list.",
        "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_INT64},
    },
    "name": {
        "description": "The import's name, as in the answer to its start and in its message in RabbitMQ.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{0,51}-[a-z0-9]{10}$"},
    },
}
_TEXT = {"type": "string"}
_NULL = {"type": "null"}
_BOTH = ["username", "password"]
_ACCOUNT = {"required": _BOTH, "properties": {"username": _TEXT, "password": _TEXT}}


def _report(states: list[str], **outcome: Any) -> dict[str, Any]:
    """Return the form of a report with one of these states; all other outcomes are null or absent."""
    fields = {"error": _NULL, "content": _NULL} | outcome
    return {"required": list(outcome), "properties": {"state": {"enum": states}} | fields}


# Rules between fields, which the schemas check with code of their own.
_RULES: Mapping[str, Mapping[str, Any]] = {
    # A whole account, or none.
    "NewRegistry": {"anyOf": [_ACCOUNT, {"properties": {"username": _NULL, "password": _NULL}}]},
    # No change or a new password, a whole account, or its removal.
    "RegistryChange": {
        "anyOf": [
            {"properties": {"username": False, "password": _TEXT}},
            _ACCOUNT,
            {"required": _BOTH, "properties": {"username": _NULL, "password": _NULL}},
        ]
    },
    "ProgressReport": {
        "anyOf": [
            _report(["running", "tagging", "handed_back"]),
            _report(["failed"], error={"type": "object"}),
            _report(["ready"], content={"type": "object"}),
        ]
    },
}


def describe(routes: Iterable[Route], version: str, *, page_files: Collection[str]) -> dict[str, Any]:
    """Return the document; `page_files` are the files that a page consists of."""
    plugin = fields_plugin()
    spec = APISpec(
        title="Longshore",
        version=version,
        openapi_version=OPENAPI_VERSION,
        plugins=[plugin],
        info={"description": _ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        tags=list(_TAGS),
        servers=[{"url": "/"}],
    )
    teach(plugin)
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    spec.components.header("RequestId", _REQUEST_ID)
    for route in routes:
        spec.path(path=route.path, operations={route.method.lower(): _operation(route, page_files)})
    return _with_rules(_without_null_parameters(spec.to_dict()))


def _operation(route: Route, page_files: Collection[str]) -> dict[str, Any]:
    operation = route.operation
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path_parameters(route.path, page_files), *_parameters(operation)],
        "responses": _responses(route),
        "security": [] if route.roles is None else [{name: []} for name in _SECURITY_SCHEMES],
    }
    if operation.description:
        described["description"] = operation.description
    if route.roles is not None:
        described["x-roles"] = sorted(route.roles)
    if operation.body:
        content = {"schema": operation.body, **_examples(operation.body_examples)}
        described["requestBody"] = {"required": operation.body_required, "content": {JSON: content}}
    return described


def _path_parameters(path: str, page_files: Collection[str]) -> list[dict[str, Any]]:
    """Return the parameters of a route's path, in their order."""
    file = {"description": "One of the page's own files.", "schema": {"type": "string", "enum": sorted(page_files)}}
    forms = {**_PATH_PARAMETERS, "file": file}
    return [{"in": "path", "name": name, "required": True, **forms[name]} for name in _IN_PATH.findall(path)]


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    query: list[dict[str, Any]] = [{"in": "query", "schema": operation.query}] if operation.query else []
    headers = (
        {"in": "header", "name": name, "description": description, "schema": {"type": "string"}}
        for name, description in operation.request_headers.items()
    )
    return [*query, *headers]


def _responses(route: Route) -> dict[str, Any]:
    errors = error_answers(possible_codes(route), route.operation.problem or ProblemSchema)
    return {str(int(answer.status)): _answer(answer) for answer in route.operation.answers} | errors


def _answer(answer: Answer) -> dict[str, Any]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()}
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": {"X-Request-ID": "RequestId"} | headers,
    }
    if answer.links:
        described["links"] = {
            name: {"operationId": name, "parameters": {parameter: f"$response.body#/{field}"}}
            for name, (parameter, field) in answer.links.items()
        }
    if answer.schemas:
        form = answer.schemas[0] if len(answer.schemas) == 1 else {"anyOf": list(answer.schemas)}
        described["content"] = {JSON: {"schema": form, **_examples(answer.examples)}}
    for media_type in answer.texts:
        described.setdefault("content", {})[media_type] = {"schema": {"type": "string"}}
    return described


def _examples(examples: Mapping[str, Any]) -> dict[str, Any]:
    return {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}


def _with_rules(document: dict[str, Any]) -> dict[str, Any]:
    for name, rule in _RULES.items():
        document["components"]["schemas"][name] |= rule
    return document


def _without_null_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Remove null from parameters: an absent parameter has no value, and a query has texts only."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                form = parameter["schema"]
                if isinstance(form.get("type"), list):
                    form["type"] = next(name for name in form["type"] if name != "null")
                if None in form.get("enum", ()):
                    form["enum"] = [value for value in form["enum"] if value is not None]
    return document
