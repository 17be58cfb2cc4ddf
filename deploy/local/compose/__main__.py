"""`make test-deploy`: the compose file against a Docker Engine, from the Dockerfile to the last `down`.

Run as `python -m deploy.local.compose`; the exit status is 0 only if everything held. It needs root, Go for compose
version 2, and debootstrap; it takes some minutes, and leaves nothing but what it built in .cache.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.markup import escape

from deploy.local.compose.docker import COMPOSE
from deploy.local.compose.engine import ComposeEngine
from deploy.local.compose.rehearsal import Rehearsal
from deploy.local.processes.scratch import LocalStackError, Scratch

INTERRUPTED = 130
# Columns of a log that no terminal limits.
LOG_WIDTH = 160


def main() -> int:
    """Run it and return the exit status."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH)
    started = time.monotonic()
    if missing := COMPOSE.missing(build=True):
        console.print(f"[red]✘[/] no docker compose: {escape(missing)}")
        return 1
    try:
        with Scratch() as scratch:
            rehearse(console, ComposeEngine(scratch))
    except LocalStackError as error:
        console.print(f"[red]✘[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return INTERRUPTED
    console.print(f"[bold green]It all held[/] in {time.monotonic() - started:.1f} s.")
    return 0


def rehearse(console: Console, engine: ComposeEngine) -> None:
    """Go through it; where something does not hold, show the containers' last words."""
    rehearsal = Rehearsal(console, engine)
    try:
        rehearsal.run()
    except LocalStackError:
        rehearsal.show_logs()
        raise
    finally:
        engine.discard()


if __name__ == "__main__":
    sys.exit(main())
