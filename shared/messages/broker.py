"""Gives every exchange with RabbitMQ a time limit, and translates its failures into one exception."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from shared.messages.topology import BROKER_TIMEOUT


class BrokerUnavailableError(Exception):
    """RabbitMQ cannot be reached, does not respond in time, or does not accept the message."""


@asynccontextmanager
async def bounded() -> AsyncIterator[None]:
    """Give an exchange a time limit: the library's own does not cover every wait. Raises BrokerUnavailableError."""
    with translated():
        async with asyncio.timeout(BROKER_TIMEOUT):
            yield


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's failures as BrokerUnavailableError."""
    try:
        yield
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerUnavailableError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except asyncio.CancelledError as error:
        # A lost connection cancels the tasks that wait for its responses; this task itself was not cancelled.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailableError("the connection was lost") from error
