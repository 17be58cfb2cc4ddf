"""Kubernetes' schemas of its objects, closed: an unknown field is an error."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from deploy.helm.tools import KEDA, PROMETHEUS_OPERATOR
from deploy.local.go.module import GoModule

# Types that the schemas call strings, and that also accept numbers.
NUMBERS_TOO = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity")
OPERATOR_KINDS = ("podmonitors", "prometheusrules")
KEDA_KINDS = ("scaledobjects", "triggerauthentications")
_PARAMETER = re.compile(r'`keda:"name=([\w;]+),')

# Returns the errors of an object, a sentence each.
Check = Callable[[Any], list[str]]
# By apiVersion and kind.
Checks = Mapping[tuple[str, str], Check]


def kubernetes_checks(module: GoModule) -> Checks:
    """Return the checks of one release's built-in kinds."""
    described = json.loads((module.folder / "api" / "openapi-spec" / "swagger.json").read_text())
    definitions = {name: _closed(schema) for name, schema in described["definitions"].items()}
    definitions |= {name: {"type": ["string", "number"]} for name in NUMBERS_TOO}
    found: dict[tuple[str, str], Check] = {}
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            version = "/".join(filter(None, (kind["group"], kind["version"])))
            found[version, kind["kind"]] = _check({"$ref": f"#/definitions/{name}", "definitions": definitions})
    return found


def custom_checks() -> Checks:
    """Return the checks of the kinds that KEDA and the Prometheus operator define."""
    keda = [KEDA.folder / "config" / "crd" / "bases" / f"keda.sh_{name}.yaml" for name in KEDA_KINDS]
    folder = PROMETHEUS_OPERATOR.folder / "example" / "prometheus-operator-crd"
    operator = [folder / f"monitoring.coreos.com_{name}.yaml" for name in OPERATOR_KINDS]
    return dict(pair for path in (*keda, *operator) for pair in _custom(path))


def trigger_parameters(kind: str) -> set[str]:
    """Return the parameters that KEDA reads of a trigger's `metadata`, which its schema does not describe."""
    source = (KEDA.folder / "pkg" / "scalers" / f"{kind}_scaler.go").read_text()
    return {name for names in _PARAMETER.findall(source) for name in names.split(";")}


def _custom(path: Path) -> Iterator[tuple[tuple[str, str], Check]]:
    spec = yaml.safe_load(path.read_text())["spec"]
    for version in spec["versions"]:
        schema = _closed(version["schema"]["openAPIV3Schema"])
        # The schema of a custom object does not describe its metadata, which Kubernetes itself checks.
        schema["properties"]["metadata"] = {"type": "object"}
        yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), _check(schema)


def _closed(schema: Any) -> Any:
    """Forbid unnamed properties at every depth."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields", False))
    return closed


def _check(schema: Mapping[str, Any]) -> Check:
    validator = jsonschema.Draft4Validator(schema)

    def check(value: Any) -> list[str]:
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    return check
