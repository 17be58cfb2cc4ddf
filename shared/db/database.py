"""The connection pool, with every wait bounded, and asyncpg's failures turned into ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.db.deadline import BoundedWait
from shared.errors.codes import Code
from shared.errors.error import LongshoreError

# Nothing else bounds the wait for a free connection (neither command_timeout nor fetch(timeout=)). Seconds.
ACQUIRE_TIMEOUT = 2.0
# A slow query is no use to anybody after that. What a request waits in all is bounded by its deadline. Seconds.
STATEMENT_TIMEOUT = 3.0
# Below the statement's own limit, so that a held lock is told apart from a slow query. Seconds.
LOCK_TIMEOUT = 2.0
# A transaction that its client forgot gives its locks back. Longer than any publish that a transaction waits for.
IDLE_IN_TRANSACTION_TIMEOUT = 30.0
CONNECT_TIMEOUT = 2.0
# What a closing pool waits for its connections before it cuts them. Seconds.
CLOSE_TIMEOUT = 5.0
# Told to the client with a 503: how soon another try makes sense. Seconds.
RETRY_AFTER = 2.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# Trouble with the server or the way to it, as against trouble with a query.
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    # Where the server ends at the moment at which a statement is sent, the driver takes its own state for wrong.
    asyncpg.InternalClientError,
    # A changed password or a database not yet restored: an operator's matter, not a fault of the code.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# After these it is not known whether the server is still at a statement: the connection is of no more use.
_UNSURE = (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `database_unavailable` where PostgreSQL cannot be reached or does not answer in time."""
    try:
        yield
    except _UNAVAILABLE as error:
        raise _away() from error


class Database:
    """A pool of connections to PostgreSQL; nothing connects before the first use, so that services start without it."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, application: str, size: int) -> "Database":
        """Make a pool of at most `size` connections, named `application` in pg_stat_activity."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            reset=_keep_session,
            server_settings={
                "application_name": application,
                "statement_timeout": _milliseconds(STATEMENT_TIMEOUT),
                "lock_timeout": _milliseconds(LOCK_TIMEOUT),
                "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_TIMEOUT),
                # Compiling costs a passing look at a million rows more than it saves.
                "jit": "off",
            },
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the connections; cut what does not close in time."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection, each statement its own transaction."""
        return _Loan(self._pool)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction (read committed), rolled back by any exception."""
        async with self.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except _UNSURE:
                # The connection ends, so the server rolls back by itself; to ask for it would be one more wait.
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()

    async def check(self) -> None:
        """Ask the server for one row; raises `database_unavailable`."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1")


async def try_lead(connection: Connection, key: int) -> bool:
    """Take the advisory lock with this number until the transaction ends; False where another session holds it."""
    taken: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key)
    return taken


class _Loan:
    """A connection for the length of a block; as a class and without `translated`, for every request has one or two."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._wait = BoundedWait()

    async def __aenter__(self) -> Connection:
        await self._wait.__aenter__()
        try:
            self._connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT)
        except BaseException as error:
            await self._end(error)
            raise
        return self._connection

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, _UNSURE):
            # A release would wait until the server has said so.
            self._connection.terminate()
        try:
            await self._pool.release(self._connection)
        except BaseException as failure:
            await self._end(failure)
            raise
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """End the wait; raises `database_unavailable` where it has been too long, or the server is why it ends."""
        try:
            await self._wait.__aexit__(type(error) if error else None, error, None)
        except TimeoutError:
            raise _away() from error
        if isinstance(error, _UNAVAILABLE):
            raise _away() from error


def _away() -> LongshoreError:
    return LongshoreError(Code.DATABASE_UNAVAILABLE, "The database did not answer in time.", retry_after=RETRY_AFTER)


@asynccontextmanager
async def open_database(url: str, *, application: str, size: int) -> AsyncIterator[Database]:
    """Keep a Database open for as long as the block runs."""
    database = await Database.open(url, application=application, size=size)
    try:
        yield database
    finally:
        await database.close()


async def _keep_session(_connection: Connection) -> None:
    """Leave a returned connection as it is, which saves a round trip for each use.

    asyncpg itself has rolled an open transaction back; settings, locks and cursors that outlive one are not used here.
    """


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
