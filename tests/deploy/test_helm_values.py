"""The chart's values and templates match the product and each other; these tests need no Helm."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

import api_service.settings
import import_worker.settings
from deploy.helm.values_table import documented, table
from deploy.reference.settings import setting_facts
from tests.deploy.chart import CHART, ROOT, VALUES, values_file

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
TEMPLATES = {path.name: path.read_text() for path in (CHART / "templates").iterdir()}
# Settings that contain a secret.
SECRET = re.compile(r"DATABASE_URL|AMQP_URL|SECRET|TOKEN$|PASSWORD|USERNAME")
# Settings that depend only on the cluster; the chart sets them.
OWN = re.compile(r"^([A-Z_]+): ", re.MULTILINE)
# Settings that the tracing library reads, not the services' own code.
TRACING = re.compile(r"OTEL_")

Values = dict[str, Any]


def merged(defaults: Any, given: Any) -> Any:
    """Merge values into the chart's, as Helm does."""
    if not (isinstance(defaults, dict) and isinstance(given, dict)):
        return given
    both = defaults | {name: merged(defaults.get(name), value) for name, value in given.items()}
    return {name: value for name, value in both.items() if value is not None or name not in given}


def offered(*path: str) -> set[str]:
    """Return the names below this path in the schema."""
    schema: Any = SCHEMA
    for name in path:
        schema = schema["properties"][name]
    return set(schema["properties"])


def own_settings() -> set[str]:
    config = TEMPLATES["_helpers.tpl"].partition('define "longshore.config"')[2].partition("end -}}")[0]
    return set(OWN.findall(config)) | {"WORKER_NAME"}


def described(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the path of every value in the schema."""
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from described(part, f"{path}.{name}")


@pytest.mark.parametrize("name", VALUES)
def test_values_fit_the_schema(name: str) -> None:
    """The schema accepts the chart's own values merged with each example."""
    values = merged(DEFAULTS, yaml.safe_load(values_file(name).read_text()))
    jsonschema.Draft7Validator(SCHEMA).validate(values)


def test_the_schema_is_closed_and_explains_every_value() -> None:
    """The schema refuses an unknown name at every depth, and describes every value."""
    for path, part in described(SCHEMA):
        assert part.get("description"), path
        if part.get("properties"):
            assert part["additionalProperties"] is False, path


@pytest.mark.parametrize(
    ("service", "read"), [("api", api_service.settings.settings_from), ("worker", import_worker.settings.settings_from)]
)
def test_the_chart_offers_the_settings_that_a_service_reads(service: str, read: Any) -> None:
    """Every setting can be set by value or by reference, or the chart sets it; there are no others."""
    known = set(setting_facts({service: read}))
    given = offered("settings") | offered(service, "settings")
    assert {name for name in given - known if not TRACING.match(name)} == set()
    assert known - given - offered("secrets") - own_settings() == set()


def test_secrets_are_given_by_reference_alone() -> None:
    """Settings with secrets have no value in the chart; a reference names a Secret and a key."""
    read = {"api": api_service.settings.settings_from, "worker": import_worker.settings.settings_from}
    # `longshore-api migrate` alone reads the last one; the workers' own DATABASE_URL is the same text.
    assert offered("secrets") == {*filter(SECRET.search, setting_facts(read)), "WORKER_DATABASE_URL"}
    for name in offered("secrets"):
        reference = SCHEMA["properties"]["secrets"]["properties"][name]
        assert set(reference["properties"]) == {"secret", "key"}
    given = offered("settings") | offered("api", "settings") | offered("worker", "settings")
    assert not list(filter(SECRET.search, given))


def test_every_example_together_sets_every_setting() -> None:
    """No other test renders the values that `everything` leaves out."""
    values = yaml.safe_load(values_file("everything").read_text())
    assert set(values["settings"]) == offered("settings")
    assert set(values["secrets"]) == offered("secrets")
    for service in ("api", "worker"):
        assert set(values[service]["settings"]) == offered(service, "settings")


def test_templates_read_values_that_exist() -> None:
    """Helm silently treats a missing value as empty."""
    paths = {path for path, _ in described(SCHEMA)}
    for name, text in TEMPLATES.items():
        for path in re.findall(r"\.Values((?:\.\w+)+)", text):
            assert path in paths, f"{name}: {path}"


def test_every_value_is_read_by_a_template() -> None:
    """Templates use every value; they read settings and secrets in a loop over the names."""
    texts = "".join(TEMPLATES.values())
    for path, part in described(SCHEMA):
        if "settings." in path or ".secrets." in path or path == ".global" or "properties" in part:
            continue
        assert f".{path.rpartition('.')[2]}" in texts or "resources" in path or "rollingUpdate" in path, path


def test_templates_include_what_is_defined() -> None:
    texts = "".join(TEMPLATES.values())
    defined = set(re.findall(r'define "([\w.]+)"', texts))
    assert defined == set(re.findall(r'include "([\w.]+)"', texts))


def test_alerts_and_dashboard_have_one_copy() -> None:
    assert (CHART / "files" / "alerts.yaml").samefile(ROOT / "deploy" / "prometheus" / "alerts.yaml")
    assert (CHART / "files" / "dashboard.json").samefile(ROOT / "deploy" / "grafana" / "longshore.json")


def test_the_chart_is_of_the_product_s_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_document_has_the_values_as_they_are() -> None:
    """`python -m deploy.helm.values_table` updates the table."""
    assert documented() == table()
