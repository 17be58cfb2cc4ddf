"""Alembic's entry point: runs the migrations on one asyncpg connection, one process at a time."""

import asyncio
from typing import Any

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db.database import CONNECT_TIMEOUT, translated
from shared.db.migrations.migrate import MIGRATION_LOCK


async def _connect() -> Any:
    with translated():
        return await asyncpg.connect(context.config.attributes["database_url"], timeout=CONNECT_TIMEOUT)


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


async def _run() -> None:
    # The creator keeps the URL asyncpg's own, so that `sslmode` and friends mean what they mean in the services.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=_connect)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_run())
