"""The command `longshore-worker`."""

import asyncio
import signal
import sys

import click
import uvloop

from import_worker.settings import WorkerSettings, read_settings
from import_worker.worker import open_worker
from shared.runtime.logs import set_up_logs
from shared.settings import SettingsError
from shared.tracing.settings import traced


@click.command()
@click.version_option(package_name="longshore")
def main() -> None:
    """Run imports until SIGTERM or SIGINT; settings come from the environment."""
    try:
        settings = read_settings()
    except SettingsError as error:
        click.echo(f"longshore-worker cannot start:\n{error}", err=True)
        sys.exit(2)
    set_up_logs(level=settings.shared.log_level, style=settings.shared.log_style)
    with traced("longshore-worker", on=settings.shared.tracing):
        uvloop.run(_run(settings))


async def _run(settings: WorkerSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_worker(settings) as worker:
        await worker.run(stop)
