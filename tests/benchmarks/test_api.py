"""The API's benchmark runs and writes a complete report; these tests do not check its figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.paths import ROOT

# Half a minute on an idle machine: servers and a dozen Python processes start.
SECONDS = 170
pytestmark = pytest.mark.timeout(SECONDS + 10)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a quick run."""
    file: Path = tmp_path_factory.mktemp("benchmark") / "report.json"
    command = [sys.executable, "-m", "benchmarks.api", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert "| bar " in done.stdout
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_every_bar_has_its_value_and_limit(report: dict[str, Any]) -> None:
    """Twelve pages may take at most twice as long, two substrings five times; three shares of the bare services."""
    bars = report["bars"]
    assert sorted(bar["limit"] for bar in bars.values()) == [0.3, 0.4, 0.4, *12 * [2.0], *2 * [5.0]]
    for name, bar in bars.items():
        assert bar["held"] == (bar["value"] >= bar["limit"] if bar["limit"] < 1 else bar["value"] <= bar["limit"]), name


def test_all_samples_are_kept(report: dict[str, Any]) -> None:
    """The report contains the samples behind the medians."""
    rounds, requests = (report["settings"]["effort"][name] for name in ("rounds", "requests"))
    for page in report["lists"].values():
        for server in ("few", "many", "bare"):
            assert [len(turn) for turn in page[server]["latencies"]] == rounds * [requests]
            assert len(page[server]["rates"]) == rounds
            assert page[server]["p99_ms"] >= page[server]["p50_ms"] > 0
        assert page["bare"]["body_bytes"] == page["many"]["body_bytes"]
    assert len(report["imports"]["product"]) == len(report["imports"]["bare"]) == report["settings"]["import_rounds"]


def test_the_conditions_are_reported(report: dict[str, Any]) -> None:
    for moment in ("before", "after"):
        assert {"processors", "load_average"} <= report[moment].keys()
