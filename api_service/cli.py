"""`longshore-api`: serve, migrate, the API tokens, and new keys for secrets."""

import gc

import click
import structlog
import uvloop

from api_service.app import create_app
from api_service.commands.command_errors import told_in_one_line
from api_service.commands.secrets import rotate_secrets
from api_service.commands.token import token
from api_service.settings import read_database_url, read_settings
from api_service.web.serve import serve_until_stopped
from shared.runtime.logs import set_up_logs
from shared.tracing.switch import traced

# Objects more than there were before the collector looks through them, some ten requests' worth.
GC_THRESHOLD = 20_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Longshore's API service. Settings come from the environment; docs/configuration.md has them all."""


@main.command()
@told_in_one_line
def serve() -> None:
    """Serve the API until SIGTERM or SIGINT."""
    settings = read_settings()
    set_up_logs(level=settings.shared.log_level, style=settings.shared.log_style)
    structlog.get_logger("api_service").info("serving", host=settings.host, port=settings.port)
    app = create_app(settings)
    # The modules stay: the garbage collector need not look through their hundred thousand objects again and again.
    gc.freeze()
    # And what a request makes goes with it: hardly anything is left for a collector that looks after every 700 objects.
    gc.set_threshold(GC_THRESHOLD)
    with traced("longshore-api", on=settings.shared.tracing):
        uvloop.run(serve_until_stopped(app, host=settings.host, port=settings.port, drain=settings.drain))


@main.command()
@told_in_one_line
def migrate() -> None:
    """Bring the database's schema to this version; safe to repeat, and to start several times at once."""
    from shared.db.migrations.migrate import migrate as run_migrations  # noqa: PLC0415 - keeps alembic out of the service

    run_migrations(read_database_url())
    click.echo("The database is up to date.", err=True)


main.add_command(token)
main.add_command(rotate_secrets)
