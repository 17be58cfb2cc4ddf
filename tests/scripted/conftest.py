"""What the scripted registry's own tests share."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on both event loops: tests run on the services' own, tools on the standard one."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client without a mind of its own: no redirects, no decompression."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session
