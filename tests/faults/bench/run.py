"""Runs one scenario with one seed on a clean testbed."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.bench.scenario import Scenario
from tests.faults.bench.shared_servers import SharedServers
from tests.faults.bench.size import Size
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Run:
    """A scenario with its seed and size."""

    scenario: Scenario
    seed: int
    size: Size

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        return f"python -m tests.faults --scenario {self.scenario.name} --seed {self.seed} --size {self.size}"

    def play(self, shared_servers: SharedServers, *, logs: Path | None = None) -> Result:
        """Run the scenario; an exception breaks the promise. The logs of a broken promise are copied below `logs`."""
        began = time.monotonic()
        try:
            with Testbed(shared_servers, self.scenario.name, seed=self.seed, size=self.size) as testbed:
                verdict = self._verdict(testbed)
                if not verdict.held and logs:
                    self._keep(testbed, logs)
        except Exception:  # noqa: BLE001 - a testbed that cannot be created or removed is a failure to report, too
            verdict = _raised()
        return Result(run=self, verdict=verdict, seconds=time.monotonic() - began)

    def _verdict(self, testbed: Testbed) -> Verdict:
        try:
            return self.scenario.play(testbed)
        except Exception:  # noqa: BLE001 - as above; here the testbed's logs still exist
            return _raised()

    def _keep(self, testbed: Testbed, logs: Path) -> None:
        folder = logs / f"{self.scenario.name}-{self.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for server in testbed.servers:
            if server.process:
                shutil.copy(server.process.log, folder)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a run; `seconds` includes the creation of the testbed."""

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
        """Return it as a line of text."""
        figures = ", ".join(f"{name} {value}" for name, value in self.verdict.figures.items() if name != "trace")
        word = "held" if self.verdict.held else "BROKEN"
        return f"{self.run.scenario.name}: {word} (seed {self.run.seed}, {self.seconds:.0f} s): {figures}"


def _raised() -> Verdict:
    error = traceback.format_exc()
    return Verdict(held=False, figures={"error": error.strip().splitlines()[-1], "trace": error})
