"""The alert rules and the dashboard are valid, and use metrics that the services export."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api_service.metrics import families
from api_service.metrics.events import EVENTS
from import_worker import metrics as worker
from import_worker.slots import Slots
from shared.db.queue_status import HeldRegistry, QueueStatus
from shared.errors.kinds import ERROR_KINDS
from shared.model.states import OPEN_STATES

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "longshore.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
# The value that Grafana substitutes.
RATE_INTERVAL = ("$__rate_interval", "1m")
_METRIC = re.compile(r"\blongshore_[a-z_]+\b")
_CODES = re.compile(r'code=~?"([^"]+)"')

QUEUE_STATUS = QueueStatus(
    imports=dict.fromkeys(OPEN_STATES, 1),
    due=1,
    oldest_due=1,
    expired=0,
    unpublished=1,
    outbox_lag=1,
    held_registries=1,
    held=[HeldRegistry(host="docker.io", scope="pull", resumes_in=1, share=0.5)],
)


def exported() -> Mapping[str, str]:
    """Return the name of every exported sample, with the help text of its family."""
    texts = [families.render({"database": True}, QUEUE_STATUS), worker.render(Slots(1), {"database": True})]
    found = [family for text in texts for family in text_string_to_metric_families(text.decode())]
    found += EVENTS.collect()
    names = {family.name: family.documentation for family in found}
    for family in found:
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [])
        names.update({family.name + suffix: family.documentation for suffix in suffixes})
    return names


def queries() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace(*RATE_INTERVAL)


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_a_query_is_promql_about_figures_that_exist(where: str, query: str) -> None:
    """A renamed metric must not leave an alert behind that can never fire."""
    promql_parser.parse(query)
    names = set(_METRIC.findall(query))
    assert names, where
    assert names <= exported().keys(), where


def test_the_parser_refuses_what_is_not_promql() -> None:
    """The previous test depends on this parser."""
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (state (longshore_up)")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_has_what_prometheus_and_people_need(rule: Any) -> None:
    """Prometheus accepts the keys, the error codes exist, and the operators' document explains each alert."""
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert re.fullmatch(r"[0-9]+[smh]", rule.get("for", "0s"))
    assert f"`{rule['alert']}`" in OPERATIONS
    for pattern in _CODES.findall(rule["expr"]):
        assert any(re.fullmatch(pattern, code) for code in ERROR_KINDS), pattern


def test_rules_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 5


def test_panels_have_places_of_their_own() -> None:
    """Grafana accepts a file with two panels of the same id or position, and shows only one of them."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_figure_is_explained() -> None:
    """The operators' document names every metric as a query does, and no other metric."""
    shown = set(_METRIC.findall(OPERATIONS))
    roots = {family for family in exported() if not family.endswith(("_bucket", "_sum", "_count"))}
    counters = {name.removesuffix("_total") for name in roots if name.endswith("_total")}
    assert roots - counters <= shown
    assert shown <= exported().keys()
