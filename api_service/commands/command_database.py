"""A command's use of the database: one connection, for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from api_service.settings import read_database_url
from shared.db.database import Connection, open_database
from shared.db.migrations.revision import current_revision

T = TypeVar("T")


def use_database(use: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something with one connection to a migrated database."""

    async def run() -> T:
        async with (
            open_database(read_database_url(), application="longshore-api command", size=1) as database,
            database.connection() as connection,
        ):
            if await current_revision(connection) is None:
                raise click.ClickException("The database is empty; run `longshore-api migrate` first.")
            return await use(connection)

    return asyncio.run(run())
