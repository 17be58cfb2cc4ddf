"""Runs a command's operation with a client for the API in use."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from longshore_client.client import LongshoreClient
from longshore_client.commands.current_access import find_access
from longshore_client.commands.exit_codes import ExitCode


def with_client(operation: Callable[[LongshoreClient], Awaitable[ExitCode]]) -> int:
    """Run the operation and return the command's exit status; raises NoAccessError."""
    access = find_access(os.environ).access

    async def run() -> ExitCode:
        async with LongshoreClient(access.url, access.token) as client:
            return await operation(client)

    return asyncio.run(run())
