"""A small run of the benchmark of the API's background work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.paths import ROOT

# A few seconds on an idle machine.
SECONDS = 170
pytestmark = pytest.mark.timeout(SECONDS + 10)


def test_a_small_run_handles_every_row(tmp_path: Path) -> None:
    """The program fails if a row is left; the transactions' times are in the report."""
    report = tmp_path / "housekeeping.json"
    command = [sys.executable, "-m", "benchmarks.housekeeping", "--imports", "1000", "--json", str(report)]
    ended = subprocess.run(command, cwd=ROOT, check=False, timeout=SECONDS, capture_output=True)
    document = json.loads(report.read_text())
    assert ended.returncode == (document["longest"] > 1)
    assert [figure["rows"] for figure in document["figures"]] == [1_000, 40_000, 1_000, 6_000]
    assert all(figure["seconds"] for figure in document["figures"])
