"""What every exchange with RabbitMQ goes through: a time limit of ours, and one kind of failure."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from shared.messages.topology import BROKER_TIMEOUT


class BrokerUnavailableError(Exception):
    """RabbitMQ cannot be reached, does not answer in time, or does not take the message."""


@asynccontextmanager
async def bounded() -> AsyncIterator[None]:
    """Give an exchange a time limit: the library's own does not cover every wait. Raises BrokerUnavailableError."""
    with _translated():
        async with asyncio.timeout(BROKER_TIMEOUT):
            yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerUnavailableError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except asyncio.CancelledError as error:
        # A lost connection cancels those who wait for its answers; that is no wish to stop us.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailableError("the connection was lost") from error
