"""The copy benchmark runs and writes a complete report; these tests do not check its figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.access_log import read_traffic
from benchmarks.bars import FLOOR, OURS
from deploy.local.paths import ROOT

# These scenarios cover one image and several, an empty and a filled target, a source with an account, and all kinds of
# bars.
SCENARIOS = ("cold", "family", "family-account", "nothing")
PEERS = {"skopeo", "crane", "regctl"}
FIGURES = {"contender", "wall", "cpu", "rss", "source", "target", "target_bytes_read", "servers", "load"}
# A minute on a machine with nothing else to do.
SECONDS = 400
pytestmark = pytest.mark.timeout(SECONDS + 10)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("report") / "copy.json"
    chosen = [argument for name in SCENARIOS for argument in ("--scenario", name)]
    command = [sys.executable, "-m", "benchmarks.copy", "--quick", "--transport", "tls", *chosen, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "| Bar " in done.stdout
    return json.loads(file.read_text(encoding="utf-8"))


def test_everybody_takes_part_or_is_said_to_be_missing(report: Any) -> None:
    """The report names every missing peer with the reason."""
    there, missing = set(report["contenders"]), set(report["left_out"])
    assert {OURS, FLOOR} <= there
    assert there - {OURS, FLOOR} | missing == PEERS
    assert not there & missing
    assert all(report["left_out"].values())
    for scenario in report["scenarios"]:
        ran = {sample["contender"] for sample in scenario["samples"]}
        absent = {"nothing": {FLOOR}, "family-account": there - {OURS}}
        assert ran == there - absent.get(scenario["name"], set())


def test_every_sample_has_all_figures(report: Any) -> None:
    """Seconds, CPU, memory, and the figures of both registries' logs."""
    assert [scenario["name"] for scenario in report["scenarios"]] == list(SCENARIOS)
    for scenario in report["scenarios"]:
        for sample in scenario["samples"]:
            assert set(sample) == FIGURES
            assert sample["wall"] > 0
            assert sample["cpu"] > 0
            assert sample["rss"] > 1 << 20
            assert set(sample["servers"]) == {"source", "target", "postgres", "rabbitmq"}


def test_bytes_and_requests_are_the_registries_own_count(report: Any) -> None:
    """A contender reads every byte of the image; the target gets at least one upload and one manifest."""
    cold = next(scenario for scenario in report["scenarios"] if scenario["name"] == "cold")
    for sample in cold["samples"]:
        if sample["contender"] != FLOOR:
            assert sample["source"]["bytes_sent"] > 4 * (256 << 10)
        assert sample["target_bytes_read"] > 4 * (256 << 10)
        assert sample["target"]["kinds"]["PUT manifest 201"] == 1
        assert sample["target"]["requests"] == sum(sample["target"]["kinds"].values())


def test_bars_have_value_limit_and_verdict(report: Any) -> None:
    """`held` follows from the value and the limit."""
    bars = report["bars"]
    wanted = {"cold.tls.wall", "cold.tls.cpu", "cold.tls.floor", "family.tls.wall", "family.tls.source_bytes"}
    wanted.add("family-account.tls.source_bytes")
    assert set(bars) == wanted | {f"nothing.tls.{name}" for name in ("wall", "source_requests", "target_requests")}
    for bar in bars.values():
        assert set(bar) == {"value", "limit", "held"}
        assert bar["held"] == (bar["value"] is not None and bar["value"] <= bar["limit"])


def test_heads_send_no_bytes(tmp_path: Path) -> None:
    """The log also has a size for a HEAD; lines of another form are skipped."""
    log = tmp_path / "registry.log"
    line = '127.0.0.1 - - [23/Nov/2026:16:27:05 +0000] "{} /v2/a/b/blobs/{} HTTP/1.1" {} {} "" "agent"\n'
    text = line.format("GET", "sha256:1", 200, 7) + "time=x level=info\n" + line.format("HEAD", "sha256:1", 404, 157)
    log.write_text("earlier\n" + text + line.format("POST", "uploads/", 202, 0), encoding="utf-8")
    traffic = read_traffic(log, len("earlier\n"))
    assert (traffic.requests, traffic.bytes_sent) == (3, 7)
    assert traffic.kinds == {"GET blob 200": 1, "HEAD blob 404": 1, "POST upload 202": 1}
