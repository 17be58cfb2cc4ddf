"""The commands' common part: one database connection, and one clear message for a failure instead of a traceback."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import click

from api_service.settings import read_database_url
from shared.db.access.audit import AuditEvent, insert_events
from shared.db.access.worker_role import WorkerRoleError
from shared.db.database import Connection, open_database
from shared.db.migrations.revision import current_revision
from shared.errors.error import LongshoreError
from shared.settings import SettingsError

# The user of a command's events: no person has proved an identity, and the event has neither role nor subject.
COMMAND = "longshore-api"
# A command has no HTTP answer; an event exists only if the command did its work.
DONE = 200

P = ParamSpec("P")
T = TypeVar("T")


class _MisuseError(click.ClickException):
    """The command cannot start; click uses the same exit status for wrong arguments."""

    exit_code = 2


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the failures that an operator can correct into a message and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            raise _MisuseError(f"the environment is not complete:\n{error}") from None
        except LongshoreError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise click.ClickException(f"{error.detail}{cause}") from None
        except (OSError, WorkerRoleError) as error:
            raise click.ClickException(str(error)) from None

    return wrapped


def use_database(use: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `use` with one connection to the database, which must have a schema."""

    async def run() -> T:
        async with (
            open_database(read_database_url(), application="longshore-api command", size=1) as database,
            database.connection() as connection,
        ):
            if await current_revision(connection) is None:
                raise click.ClickException("The database is empty; run `longshore-api migrate` first.")
            return await use(connection)

    return asyncio.run(run())


async def record(connection: Connection, operation: str, about: str = "") -> None:
    """Add an event to the audit log; in the same transaction as the change, so that neither is without the other."""
    event = AuditEvent(user_name=COMMAND, operation=operation, object=about, status=DONE)
    await insert_events(connection, [event])
