"""The connection pool: bounds every wait, and translates asyncpg's errors into `database_unavailable`."""

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
# The result of a slower query would come too late. A request's waits together are bounded by its deadline. Seconds.
STATEMENT_TIMEOUT = 3.0
# Below the statement's limit, so that a held lock can be distinguished from a slow query. Seconds.
LOCK_TIMEOUT = 2.0
# An abandoned transaction releases its locks after this. Longer than any publish that a transaction waits for. Seconds.
IDLE_IN_TRANSACTION_TIMEOUT = 30.0
CONNECT_TIMEOUT = 2.0
# The time that a closing pool waits for its connections before it terminates them. Seconds.
CLOSE_TIMEOUT = 5.0
# The Retry-After of a 503. Seconds.
RETRY_AFTER = 2.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# Errors of the server or the connection, as opposed to errors of a query.
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    # The driver raises this when the server ends while a statement is being sent.
    asyncpg.InternalClientError,
    # A changed password, or a database that is not yet restored: for an operator, not a bug.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# After these the server may still be executing a statement: the connection cannot be used again.
_STATE_UNKNOWN = (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `database_unavailable` where PostgreSQL cannot be reached or does not respond in time."""
    try:
        yield
    except _UNAVAILABLE as error:
        raise _unavailable() from error


class Database:
    """A pool of connections to PostgreSQL; it connects at the first use, so that services start without a database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, application: str, size: int) -> "Database":
        """Create a pool of at most `size` connections, named `application` in pg_stat_activity."""
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
                # Compiling a query that scans a million rows costs more time than it saves.
                "jit": "off",
            },
        )
        return cls(pool)

    async def close(self) -> None:
        """Close the connections; terminate those that do not close in time."""
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
            except _STATE_UNKNOWN:
                # The connection is terminated, so the server rolls back anyway; a rollback here would be one more wait.
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()

    async def check(self) -> None:
        """Query one row; raises `database_unavailable`."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1")


async def try_lead(connection: Connection, key: int) -> bool:
    """Take the advisory lock with this number until the transaction ends; False where another session holds it."""
    taken: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", key)
    return taken


class _Loan:
    """A connection for the duration of a block; a class without `translated`, because each request uses one or two."""

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
        if isinstance(error, _STATE_UNKNOWN):
            # Releasing it would wait for the server.
            self._connection.terminate()
        try:
            await self._pool.release(self._connection)
        except BaseException as failure:
            await self._end(failure)
            raise
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """End the wait; raises `database_unavailable` where it was too long, or where the server caused the error."""
        try:
            await self._wait.__aexit__(type(error) if error else None, error, None)
        except TimeoutError:
            raise _unavailable() from error
        if isinstance(error, _UNAVAILABLE):
            raise _unavailable() from error


def _unavailable() -> LongshoreError:
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
    """Keep a returned connection as it is, which saves a round trip per use.

    asyncpg has already rolled back an open transaction; no store uses session settings, locks or cursors beyond one.
    """


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
