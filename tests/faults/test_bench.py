"""The fault bench: its short scenarios, and that it tells the truth about a broken promise."""

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
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.plant import Plant
from tests.faults.bench.run import Run
from tests.faults.bench.scenario import scenarios
from tests.faults.bench.size import Size
from tests.faults.bench.storm import Blow, Kind, Prey, make_blows

pytestmark = pytest.mark.xdist_group("bench")

# Those that take few seconds and that no other test has; `python -m tests.faults` and `make soak` play all of them.
QUICK = (
    *("clocks", "duplicates", "fate"),
    *("bounded", "broker_away", "consumer", "content", "database", "stale_worker"),
)
# Always the same, so that a run of the tests is like the one before.
SEED = 1
PREY = {"api": Prey(kinds=tuple(Kind)), "worker": Prey(kinds=(Kind.KILL,), share=5)}
SCENARIO = """
from tests.faults.bench.verdict import Verdict
PROMISE = "Whatever is asked for is so."
def play(ground):
    {body}
"""


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    """Servers in a folder of their own: other tests of this process have some of the same names."""
    with Scratch() as scratch, Plant(scratch) as plant:
        yield plant


@pytest.mark.parametrize("name", QUICK)
def test_a_promise_holds(plant: Plant, name: str, tmp_path: Path) -> None:
    """In its short form; a failure names the command that plays the same again, and leaves the services' logs."""
    result = Run(scenario=scenarios()[name], seed=SEED, size=Size.SHORT).play(plant, logs=tmp_path)
    assert result.verdict.held, json.dumps(result.document(), indent=1)


def test_the_bench_finds_what_is_wrong(plant: Plant) -> None:
    """A blob that was damaged behind the product's back, and an accepted import that nobody knows."""
    with Ground(plant, "wrong", seed=SEED, size=Size.SHORT) as ground:
        ground.start()
        accepted = ground.accept_all(ground.push(2))
        outcomes = ground.wait_final(60)
        assert count_fates(ground, accepted, outcomes).all_ready
        plant.target.blob_path(accepted[0].wanted.image.blobs[0].digest).write_bytes(b"damaged")
        damaged = count_fates(ground, [*accepted, replace(accepted[0], name="unknown")], outcomes)
    assert (damaged.wrong, damaged.lost, damaged.stuck) == (1, 1, 0)
    assert not damaged.good


def test_a_seed_repeats_its_blows() -> None:
    """Times, victims, kinds and lengths are decided before the storm begins."""
    assert blows(7) == blows(7)
    assert blows(7) != blows(8)


def test_everybody_is_hit() -> None:
    """However small a process's share is; the rest of the blows goes by it, and each is one that its victim knows."""
    made = blows(7)
    hits = [blow.victim for blow in made]
    assert 0 < hits.count("api") < hits.count("worker")
    assert {blow.kind for blow in made if blow.victim == "worker"} == {Kind.KILL}
    assert [blow.at for blow in made] == sorted(blow.at for blow in made)


def blows(seed: int) -> list[Blow]:
    return make_blows(random.Random(seed), PREY, number=40, seconds=60)


class Bench:
    """The bench's command, with scenarios of the test's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch

    def add(self, name: str, body: str) -> None:
        """Let there be a scenario with this function's body."""
        (self.folder / f"{name}.py").write_text(SCENARIO.format(body=body))

    def run(self, *options: str) -> tuple[int, Any]:
        """Return what it ends with, and its report."""
        report = self.folder / "report.json"
        self._monkeypatch.setattr(sys, "argv", ["faults", "--json", str(report), "--size", "short", *options])
        return command.main(), json.loads(report.read_text())


@pytest.fixture
def bench(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("tests.faults.scenarios.__path__", [str(tmp_path)])
    # The one that runs already.
    monkeypatch.setattr(command, "Plant", lambda _: nullcontext(plant))
    monkeypatch.setattr(command, "LOGS", tmp_path / "logs")
    before = set(sys.modules)
    yield Bench(tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_held_promise_ends_well(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """The report has the seed, the promise, and figures that follow from the seed."""
    bench.add("good", "return Verdict(held=True, figures={'random': ground.rng.random()})")
    code, report = bench.run("--scenario", "good", "--seed", "5")
    assert (code, report["seed"]) == (0, 5)
    good = report["promises"]["good"]
    assert (good["held"], good["promise"]) == (True, "Whatever is asked for is so.")
    assert bench.run("--seed", "5")[1]["promises"]["good"]["random"] == good["random"]
    assert bench.run("--seed", "6")[1]["promises"]["good"]["random"] != good["random"]
    assert "good: held (seed 5" in capsys.readouterr().out


@pytest.mark.parametrize("body", ["return Verdict(held=False, figures={'lost': 1})", "raise OSError('lost')"])
def test_a_broken_promise_ends_with_1(bench: Bench, capsys: pytest.CaptureFixture[str], body: str) -> None:
    """Also one whose scenario cannot go on; it says what plays the same again, and keeps the logs."""
    bench.add("bad", body)
    bench.add("good", "return Verdict(held=True, figures={})")
    code, report = bench.run("--seed", "5")
    assert code == 1
    assert {name: told["held"] for name, told in report["promises"].items()} == {"bad": False, "good": True}
    said = capsys.readouterr().out
    assert "bad: BROKEN" in said
    assert "lost" in said
    assert "python -m tests.faults --scenario bad --seed 5 --size short" in said
    assert (bench.folder / "logs/bad-5/postgres.log").exists()


def test_a_soak_ends_at_the_first_broken_promise(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """It has a fresh seed for each run, and says them all; of those that follow from 5, the fourth breaks."""
    bench.add("brittle", "return Verdict(held=ground.rng.random() < 0.5, figures={})")
    code, report = bench.run("--minutes", "5", "--seed", "5")
    lines = [line for line in capsys.readouterr().out.splitlines() if " (seed " in line]
    assert code == 1
    assert len(lines) == len({line.partition("(")[2] for line in lines}) == report["runs"] == 4
    assert ["held" in line for line in lines] == [True] * (len(lines) - 1) + [False]


def test_a_soak_ends_when_its_time_is_over(bench: Bench) -> None:
    """If nothing is broken."""
    bench.add("good", "return Verdict(held=True, figures={})")
    code, report = bench.run("--minutes", "0.02")
    assert code == 0
    assert report["runs"] >= 1
