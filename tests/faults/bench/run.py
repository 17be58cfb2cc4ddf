"""One scenario with one seed, from a clean ground to its verdict."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.bench.ground import Ground
from tests.faults.bench.plant import Plant
from tests.faults.bench.scenario import Scenario
from tests.faults.bench.size import Size
from tests.faults.bench.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is to be played."""

    scenario: Scenario
    seed: int
    size: Size

    @property
    def command(self) -> str:
        """What plays the same again."""
        return f"python -m tests.faults --scenario {self.scenario.name} --seed {self.seed} --size {self.size}"

    def play(self, plant: Plant, *, logs: Path | None = None) -> Result:
        """Play; whatever is raised breaks the promise. Logs of a broken one are copied below `logs`."""
        began = time.monotonic()
        try:
            with Ground(plant, self.scenario.name, seed=self.seed, size=self.size) as ground:
                verdict = self._verdict(ground)
                if not verdict.held and logs:
                    self._keep(ground, logs)
        except Exception:  # noqa: BLE001 - a ground that cannot be made or cleared is a failure to be told, too
            verdict = _raised()
        return Result(run=self, verdict=verdict, seconds=time.monotonic() - began)

    def _verdict(self, ground: Ground) -> Verdict:
        try:
            return self.scenario.play(ground)
        except Exception:  # noqa: BLE001 - as above; here the ground's logs are still there
            return _raised()

    def _keep(self, ground: Ground, logs: Path) -> None:
        folder = logs / f"{self.scenario.name}-{self.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for server in ground.servers:
            if server.process:
                shutil.copy(server.process.log, folder)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out; `seconds` it took, the ground's making included."""

    run: Run
    verdict: Verdict
    seconds: float

    def document(self) -> Mapping[str, object]:
        """Return it as JSON."""
        return {
            "held": self.verdict.held,
            "promise": self.run.scenario.promise,
            "seed": self.run.seed,
            "size": self.run.size,
            "command": self.run.command,
            "seconds": round(self.seconds, 1),
            **self.verdict.figures,
        }

    def line(self) -> str:
        """Return it for people."""
        told = ", ".join(f"{name} {value}" for name, value in self.verdict.figures.items() if name != "trace")
        word = "held" if self.verdict.held else "BROKEN"
        return f"{self.run.scenario.name}: {word} (seed {self.run.seed}, {self.seconds:.0f} s): {told}"


def _raised() -> Verdict:
    error = traceback.format_exc()
    return Verdict(held=False, figures={"error": error.strip().splitlines()[-1], "trace": error})
