"""The OpenAPI document: complete, correct, and shown by a page that loads nothing from another host.

In addition, api.py checks every answer in the tests of this folder against the document.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate

from api_service.api_page import handlers as description
from api_service.routes import ALL_ROUTES
from shared.errors.kinds import ERROR_KINDS
from tests.api_service.api import BASE, Api
from tests.api_service.described import check_answer, document, operations, validate_component

FOLDER = description._FOLDER
# swagger-ui-dist 5.35.0: the vendored files are those that npm publishes.
VENDORED = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "LICENSE.swagger-ui": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
}


async def test_everybody_may_read_the_description(api: Api) -> None:
    answer = await api.call("GET", f"{BASE}/openapi.json", role=None)
    assert answer.status == 200
    assert answer.body["paths"] == document()["paths"]


def test_the_description_is_valid_openapi() -> None:
    """OpenAPI 3.1, by its own schema and rules."""
    assert document()["openapi"].startswith("3.1.")
    validate(dict(document()))


def test_every_route_is_described_and_nothing_else() -> None:
    assert {(method, path) for method, path, _ in operations()} == {(route.method, route.path) for route in ALL_ROUTES}


def test_operations_have_names_of_their_own() -> None:
    """Generated clients name their methods after them."""
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)


def test_roles_are_described_as_the_routes_have_them() -> None:
    for route in ALL_ROUTES:
        operation = document()["paths"][route.path][route.method.lower()]
        assert operation.get("x-roles") == (None if route.roles is None else sorted(route.roles))
        assert bool(operation["security"]) == (route.roles is not None)


def properties() -> Iterator[tuple[str, str, Any]]:
    for name, schema in document()["components"]["schemas"].items():
        for field, form in schema.get("properties", {}).items():
            yield name, field, form


def test_every_field_of_a_request_is_explained() -> None:
    """The document need not explain fields of answers that are objects: the fields of those objects are explained."""
    for name, field, form in properties():
        assert "description" in form or "$ref" in str(form) or name == "Document", (name, field)
    for _, path, operation in operations():
        for parameter in operation["parameters"]:
            assert parameter["description"], (path, parameter["name"])


def test_unknown_fields_of_requests_are_refused_in_the_description_too() -> None:
    """A worker's report may get new fields between releases; users' requests may not have any."""
    for name in ("Import", "Credentials", "Retry", "NewRegistry", "RegistryChange"):
        assert document()["components"]["schemas"][name]["additionalProperties"] is False


def test_secrets_are_written_and_never_read() -> None:
    """No answer contains a secret, except one: the worker that holds an import gets its source's account."""
    readers = {
        (path, method)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if "AttemptTerms" in str(operation["responses"])
    }
    assert readers == {("/api/v1/images:import/{name}/begin", "post")}
    for name, field, form in properties():
        if "password" in field.lower() and field != "hasPassword":
            assert name in ("Credentials", "NewRegistry", "RegistryChange", "SourceAccount")
            assert name in ("Credentials", "SourceAccount") or form["writeOnly"]


def test_every_error_is_reported_with_its_code() -> None:
    """For each status, the document lists the possible codes, all of them from the closed list."""
    told = set()
    for _, path, operation in operations():
        for status, response in operation["responses"].items():
            form = response.get("content", {}).get("application/problem+json")
            if form is None:
                continue
            codes = form["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert {int(ERROR_KINDS[code].status) for code in codes} == {int(status)}, path
            told.update(codes)
    # Codes between a worker and the API, or of a failed import: they appear in details, never in an error answer.
    inner = {"api_unavailable", "api_refused", "worker_lost", "method_not_allowed", "import_timed_out"}
    assert set(ERROR_KINDS) - told <= inner


def test_an_answer_that_may_have_retry_after_says_so() -> None:
    """A limit that renews is a 403 with that header, and other refusals with 403 have none."""
    for _, path, operation in operations():
        for status, response in operation["responses"].items():
            form = response.get("content", {}).get("application/problem+json")
            if form is not None:
                codes = form["schema"]["allOf"][1]["properties"]["code"]["enum"]
                described = "Retry-After" in response["headers"]
                assert described == (status in ("429", "503") or "limit_reached" in codes), (path, status)


def test_examples_are_of_the_form_that_they_stand_for() -> None:
    checked = 0
    registry: dict[str, Any] = {"components": document()["components"]}
    for _, _, operation in operations():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for form in (content for body in bodies for content in body.get("content", {}).values()):
            for example in form.get("examples", {}).values():
                Draft202012Validator({**registry, **form["schema"]}).validate(example["value"])
                checked += 1
    assert checked >= 6


@pytest.mark.parametrize(
    "body",
    [
        {"totalCount": 1, "images": [], "more": 1},
        {"totalCount": "1", "images": []},
        {"images": []},
        {"totalCount": 1, "images": [{"id": 1}]},
    ],
)
def test_an_answer_that_has_drifted_is_noticed(body: Any) -> None:
    """The check that all tests of this folder use fails if an answer deviates."""
    headers = {"X-Request-ID": "1", "Content-Type": "application/json"}
    with pytest.raises(ValidationError):
        check_answer("GET", f"{BASE}/images", status=200, headers=headers, body=body)
    with pytest.raises(AssertionError):
        check_answer("GET", f"{BASE}/images", status=302, headers=headers, body="")
    with pytest.raises(ValidationError):
        validate_component("FlatPage", body)


async def test_the_page_comes_with_everything_that_it_needs(api: Api) -> None:
    """The page has no address of another host and no inline script, and its policy would block both."""
    page = await api.call("GET", f"{BASE}/docs", role=None)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://|//[a-z]|<style|style=|\son\w+=", page.body)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page.body)
    wanted = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.body)
    assert "docs/start.js" in wanted
    for path in wanted:
        answer = await api.call("GET", f"{BASE}/{path}", role=None)
        assert answer.status == 200, path
    for header in (page.headers["Content-Security-Policy"],):
        assert "default-src 'none'" in header
        assert "script-src 'self';" in header
        assert "unsafe" not in header
        assert "http" not in header


async def test_the_page_is_kept_and_asked_for_again(api: Api) -> None:
    """The page has two megabytes and changes only with an upgrade: unlike other answers, browsers may cache it."""
    first = await api.client.get(f"{BASE}/docs/swagger-ui-bundle.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = await api.client.get(f"{BASE}/docs/swagger-ui-bundle.js", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize("name", ["LICENSE.swagger-ui", "..%2Fapp.py", "..%2F..%2Fpyproject.toml", "x.js", "%00"])
async def test_the_page_has_no_other_files(api: Api, name: str) -> None:
    assert (await api.call("GET", f"{BASE}/docs/{name}", role=None)).code == "route_not_found"


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_vendored_is_what_was_published(name: str) -> None:
    """Vendored files are not edited."""
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == VENDORED[name]


def test_the_description_is_plain_json() -> None:
    assert json.loads(json.dumps(document())) == document()
