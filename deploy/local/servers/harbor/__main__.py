"""The process of the stand-in: `python -m deploy.local.servers.harbor LAUNCH.json`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from deploy.local.processes.server import LOOPBACK
from deploy.local.servers.harbor.app import create_app
from deploy.local.servers.harbor.settings import Launch
from deploy.local.servers.harbor.state import State

# Seconds for running requests to end after SIGTERM.
GRACE_SECONDS = 2.0


def main() -> None:
    """Serve until SIGTERM, and save the state for the next start."""
    launch = Launch.read(Path(sys.argv[1]))
    kept = Path(launch.state)
    state = State.load(kept)
    app = create_app(launch.settings, launch.upstream, state=state)

    async def keep(_: web.Application) -> AsyncIterator[None]:
        yield
        state.save(kept)

    app.cleanup_ctx.append(keep)
    web.run_app(app, host=LOOPBACK, port=launch.port, print=None, access_log=None, shutdown_timeout=GRACE_SECONDS)


if __name__ == "__main__":
    main()
