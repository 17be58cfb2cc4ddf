"""`make test-deploy`: run the compose file on a Docker Engine, from building the images to the last `down`.

Run as `python -m deploy.local.compose`; the exit status is 0 only if every check passed. It needs root, Go (to build
compose version 2) and debootstrap. It takes some minutes, and leaves only the programs and images that it built in
.cache.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from deploy.local.commands.runner import new_console, run_to_end
from deploy.local.compose.docker import COMPOSE
from deploy.local.compose.engine import ComposeEngine
from deploy.local.compose.rehearsal import Rehearsal
from deploy.local.processes.scratch import LocalStackError, Scratch

if TYPE_CHECKING:
    from rich.console import Console


def main() -> int:
    """Run the rehearsal and return the exit status."""
    console = new_console()
    return run_to_end(console, lambda: rehearse(console))


def rehearse(console: Console) -> None:
    """Run the rehearsal; if a check fails, print the ends of the containers' logs."""
    if reason := COMPOSE.why_unavailable(build=True):
        raise LocalStackError(f"docker compose is not available: {reason}")
    with Scratch() as scratch:
        engine = ComposeEngine(scratch)
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
