"""The frame of every exchange with RabbitMQ."""

import asyncio

import pytest

from shared.messages.broker import BrokerUnavailableError, bounded


async def ask(answer: "asyncio.Future[str]") -> str:
    async with bounded():
        return await answer


async def test_what_a_lost_connection_cancels_is_a_failure() -> None:
    """The library cancels tasks that wait for a response; a loop that took that for its own cancellation would end."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(ask(answer))
    await asyncio.sleep(0)
    answer.cancel()
    with pytest.raises(BrokerUnavailableError, match="connection was lost"):
        await asking


async def test_a_cancelled_task_ends() -> None:
    asking = asyncio.create_task(ask(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_silent_broker_is_a_failure_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messages.broker.BROKER_TIMEOUT", 0.05)
    with pytest.raises(BrokerUnavailableError, match="TimeoutError"):
        await ask(asyncio.get_running_loop().create_future())
