"""The scenarios: every module of tests.faults.scenarios is one, under its own name.

A module has `PROMISE`, a sentence that must hold, and `play(testbed) -> Verdict`, which may block.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import scenarios as package
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A promise, and the function that tries to break it."""

    name: str
    promise: str
    play: Callable[[Testbed], Verdict]


def scenarios() -> dict[str, Scenario]:
    """Return all scenarios by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return {name: _load(name) for name in names}


def _load(name: str) -> Scenario:
    module = importlib.import_module(f"{package.__name__}.{name}")
    return Scenario(name=name, promise=module.PROMISE, play=module.play)
