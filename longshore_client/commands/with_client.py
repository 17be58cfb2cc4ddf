"""Runs what a command does, with a client for the API in use."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from longshore_client.commands.current_access import find_access
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.longshore_client import LongshoreClient


def with_client(use: Callable[[LongshoreClient], Awaitable[ExitCode]]) -> int:
    """Return the command's exit status."""
    access = find_access(os.environ).access

    async def run() -> ExitCode:
        async with LongshoreClient(access.url, access.token) as client:
            return await use(client)

    return asyncio.run(run())
