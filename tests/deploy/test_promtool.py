"""Prometheus' own tool accepts the alert rules, and each alert fires when it should."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
CASES = Path(__file__).parent / "alert_cases.yaml"
SECONDS = 60


def promtool(*arguments: str, folder: Path) -> str:
    """Run promtool and return its output; skip the test if it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is missing: it is in Debian's package prometheus, which is large")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def test_promtool_takes_the_rules() -> None:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(ALERTS), folder=ROOT)


def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    """Each alert fires under its condition, and none in a healthy installation."""
    for path in (ALERTS, CASES):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", CASES.name, folder=tmp_path)


def test_no_alert_is_without_a_case() -> None:
    """This test needs no promtool."""
    rules = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
    tested = [test for case in yaml.safe_load(CASES.read_text())["tests"] for test in case["alert_rule_test"]]
    assert {test["alertname"] for test in tested if test.get("exp_alerts")} == rules
