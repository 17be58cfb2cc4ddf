"""The fault bench: its short scenarios, and its report of a broken promise."""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Scratch
from tests.faults import __main__ as command
from tests.faults.bench.disruptions import Disruption, Exposure, Kind, plan_disruptions
from tests.faults.bench.run import Run
from tests.faults.bench.scenario import scenarios
from tests.faults.bench.shared_servers import SharedServers
from tests.faults.bench.size import Size
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import count_totals

pytestmark = pytest.mark.xdist_group("bench")

# Scenarios that take few seconds and that no other test covers; `python -m tests.faults` and `make soak` run all.
QUICK = (
    *("bombs", "bounded", "broker_away", "clocks", "consumer", "content", "database"),
    *("deadlines", "duplicates", "fate", "fuzz", "left_behind", "neighbours", "stale_worker"),
    "target_outage",
)
# A fixed seed makes runs of the tests repeatable.
SEED = 1
EXPOSURE = {"api": Exposure(kinds=tuple(Kind)), "worker": Exposure(kinds=(Kind.KILL,), share=5)}
SCENARIO = """
from tests.faults.bench.verdict import Verdict
PROMISE = "Every request is fulfilled."
def play(testbed):
    {body}
"""


@pytest.fixture(scope="module")
def shared_servers() -> Iterator[SharedServers]:
    """Servers in a separate scratch folder: other tests of this process use some of the names."""
    with Scratch() as scratch, SharedServers(scratch) as shared_servers:
        yield shared_servers


@pytest.mark.parametrize("name", QUICK)
def test_a_promise_holds(shared_servers: SharedServers, name: str, tmp_path: Path) -> None:
    """The short form; a failure prints the command that repeats it, and keeps the services' logs."""
    result = Run(scenario=scenarios()[name], seed=SEED, size=Size.SHORT).play(shared_servers, logs=tmp_path)
    assert result.verdict.held, json.dumps(result.document(), indent=1)


def test_the_bench_finds_what_is_wrong(shared_servers: SharedServers) -> None:
    """A damaged blob and an unknown accepted import are detected."""
    with Testbed(shared_servers, "wrong", seed=SEED, size=Size.SHORT) as testbed:
        testbed.start()
        accepted = testbed.accept_all(testbed.push(2))
        outcomes = testbed.wait_final(60)
        assert count_totals(testbed, accepted, outcomes).all_ready
        shared_servers.target.blob_path(accepted[0].pushed.image.blobs[0].digest).write_bytes(b"damaged")
        damaged = count_totals(testbed, [*accepted, replace(accepted[0], name="unknown")], outcomes)
    assert (damaged.wrong, damaged.lost, damaged.stuck) == (1, 1, 0)
    assert not damaged.good


def test_a_seed_repeats_its_disruptions() -> None:
    """The seed decides the times, victims, kinds and durations in advance."""
    assert disruptions(7) == disruptions(7)
    assert disruptions(7) != disruptions(8)


def test_every_process_is_disrupted() -> None:
    """Every process is disrupted at least once, otherwise by its share, and only with its kinds."""
    made = disruptions(7)
    hits = [disruption.victim for disruption in made]
    assert 0 < hits.count("api") < hits.count("worker")
    assert {disruption.kind for disruption in made if disruption.victim == "worker"} == {Kind.KILL}
    assert [disruption.at for disruption in made] == sorted(disruption.at for disruption in made)


def disruptions(seed: int) -> list[Disruption]:
    return plan_disruptions(random.Random(seed), EXPOSURE, number=40, seconds=60)


class Bench:
    """The command of the bench, with scenarios of the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch

    def add(self, name: str, body: str) -> None:
        """Add a scenario with this body of `play`."""
        (self.folder / f"{name}.py").write_text(SCENARIO.format(body=body))

    def run(self, *options: str) -> tuple[int, Any]:
        """Run the bench; return its exit status and its report."""
        report = self.folder / "report.json"
        self._monkeypatch.setattr(sys, "argv", ["faults", "--json", str(report), "--size", "short", *options])
        return command.main(), json.loads(report.read_text())


@pytest.fixture
def bench(shared_servers: SharedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("tests.faults.scenarios.__path__", [str(tmp_path)])
    # The servers that already run.
    monkeypatch.setattr(command, "SharedServers", lambda _: nullcontext(shared_servers))
    monkeypatch.setattr(command, "LOGS", tmp_path / "logs")
    before = set(sys.modules)
    yield Bench(tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_held_promise_ends_well(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """The report has the seed, the promise, and figures that depend on the seed."""
    bench.add("good", "return Verdict(held=True, figures={'random': testbed.rng.random()})")
    code, report = bench.run("--scenario", "good", "--seed", "5")
    assert (code, report["seed"]) == (0, 5)
    good = report["promises"]["good"]
    assert (good["held"], good["promise"]) == (True, "Every request is fulfilled.")
    assert bench.run("--seed", "5")[1]["promises"]["good"]["random"] == good["random"]
    assert bench.run("--seed", "6")[1]["promises"]["good"]["random"] != good["random"]
    assert "good: held (seed 5" in capsys.readouterr().out


@pytest.mark.parametrize("body", ["return Verdict(held=False, figures={'lost': 1})", "raise OSError('lost')"])
def test_a_broken_promise_ends_with_1(bench: Bench, capsys: pytest.CaptureFixture[str], body: str) -> None:
    """A failed check or an exception breaks the promise; the output has the command that repeats it; logs are kept."""
    bench.add("bad", body)
    bench.add("good", "return Verdict(held=True, figures={})")
    code, report = bench.run("--seed", "5")
    assert code == 1
    assert {name: entry["held"] for name, entry in report["promises"].items()} == {"bad": False, "good": True}
    said = capsys.readouterr().out
    assert "bad: BROKEN" in said
    assert "lost" in said
    assert "python -m tests.faults --scenario bad --seed 5 --size short" in said
    assert (bench.folder / "logs/bad-5/postgres.log").exists()


def test_a_soak_ends_at_the_first_broken_promise(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has a fresh seed, which is printed; of the seeds derived from 5, the fourth breaks the promise."""
    bench.add("brittle", "return Verdict(held=testbed.rng.random() < 0.5, figures={})")
    code, report = bench.run("--minutes", "5", "--seed", "5")
    lines = [line for line in capsys.readouterr().out.splitlines() if " (seed " in line]
    assert code == 1
    assert len(lines) == len({line.partition("(")[2] for line in lines}) == report["runs"] == 4
    assert ["held" in line for line in lines] == [True] * (len(lines) - 1) + [False]


def test_a_soak_ends_when_its_time_is_over(bench: Bench) -> None:
    """Without a broken promise the soak ends after its time."""
    bench.add("good", "return Verdict(held=True, figures={})")
    code, report = bench.run("--minutes", "0.02")
    assert code == 0
    assert report["runs"] >= 1
