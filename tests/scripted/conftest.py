"""Fixtures of the scripted registry's own tests."""

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
    """An HTTP client that follows no redirects and decompresses nothing."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session
