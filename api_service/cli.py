"""`longshore-api`: serve, migrate, manage API tokens and owners, and rotate secrets."""

import gc

import click
import structlog
import uvloop

from api_service.app import create_app
from api_service.commands.common import one_line_errors
from api_service.commands.owner import owner
from api_service.commands.secrets import rotate_secrets
from api_service.commands.token import token
from api_service.settings import read_database_urls, read_settings
from api_service.web.serve import serve_until_stopped
from shared.runtime.logs import set_up_logs
from shared.tracing.settings import traced

# New objects before the garbage collector runs: those of about ten requests.
GC_THRESHOLD = 20_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Longshore's API service. It reads its settings from the environment; docs/configuration.md lists them."""


@main.command()
@one_line_errors
def serve() -> None:
    """Serve the API until SIGTERM or SIGINT."""
    settings = read_settings()
    set_up_logs(level=settings.shared.log_level, style=settings.shared.log_style)
    structlog.get_logger("api_service").info("service.started", host=settings.host, port=settings.port)
    app = create_app(settings)
    # The modules are never freed: keep the garbage collector from scanning their hundred thousand objects each time.
    gc.freeze()
    # A request's objects are freed with it: the collector would find next to nothing after every 700 objects.
    gc.set_threshold(GC_THRESHOLD)
    with traced("longshore-api", on=settings.shared.tracing):
        uvloop.run(serve_until_stopped(app, host=settings.host, port=settings.port, drain=settings.drain))


@main.command()
@one_line_errors
def migrate() -> None:
    """Migrate the database's schema to this version; safe to repeat, and to run several times at once.

    With WORKER_DATABASE_URL, also set up the database role of workers.
    """
    from shared.db.migrations import migrate as migrations  # noqa: PLC0415 - keeps alembic out of the service

    database_url, worker_url = read_database_urls()
    migrations.migrate(database_url)
    click.echo("The database is up to date.", err=True)
    if worker_url:
        for note in migrations.grant_to_workers(database_url, worker_url):
            click.echo(note, err=True)
        click.echo("The workers' database role has its grants.", err=True)


main.add_command(token)
main.add_command(owner)
main.add_command(rotate_secrets)
