"""What a person at a terminal sees of a program that does one thing after another."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


class Steps:
    """Tells what holds, as soon as it does."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, done: str) -> Iterator[None]:
        """Print what was reached, and how long it took."""
        started = time.monotonic()
        with self.console.status(f"[dim]{done} …"):
            yield
        self.say(done, f"{time.monotonic() - started:.1f} s")

    def say(self, done: str, remark: str = "") -> None:
        """Print what holds now."""
        self.console.print(f"[green]✔[/] {escape(done)} [dim]{remark}[/]")
