"""A small run of the benchmark of a worker's memory: its report, and its sparse layers."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.memory import GROWTH_LIMIT, LOADS, Sample, judge
from benchmarks.scenarios import MIB
from benchmarks.sparse import sparse_layer
from deploy.local.images.image import sha256
from deploy.local.paths import ROOT


def test_a_small_run_reports_its_bars(tmp_path: Path) -> None:
    """Eight imports become ready with the right digests, and the peak is plausible for a Python process."""
    report = tmp_path / "memory.json"
    command = [sys.executable, "-m", "benchmarks.memory", "--json", str(report), "--quick", "--load", "1 GiB"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100, capture_output=True)
    document = json.loads(report.read_text())
    (sample,) = document["samples"]
    assert 20 * MIB < sample["idle"] <= sample["peak"]
    assert document["bars"]["peak.1 GiB"]["value"] == sample["peak"] / MIB
    assert document["bars"]["growth"] == {"value": None, "limit": GROWTH_LIMIT, "held": False}


def sample(load: str, peak: int) -> Sample:
    return Sample(load=load, peak=peak, idle=0, at_once=8, wall=1)


def test_growth_is_the_large_layers_over_the_small_ones() -> None:
    """The limit of the growth is a tenth."""
    small, large = LOADS[0].name, LOADS[1].name
    assert judge([sample(small, 100 * MIB), sample(large, 110 * MIB)])["growth"].held
    assert not judge([sample(small, 100 * MIB), sample(large, 111 * MIB)])["growth"].held
    assert not judge([sample(small, 151 * MIB)])[f"peak.{small}"].held


def test_sparse_layers_have_the_digest_of_their_bytes() -> None:
    """No two layers are equal."""
    one, other = sparse_layer("one", 3 * MIB), sparse_layer("other", 3 * MIB)
    content = b"".join(one.read())
    assert (sha256(content), len(content)) == (one.digest, one.size)
    assert one.digest != other.digest
