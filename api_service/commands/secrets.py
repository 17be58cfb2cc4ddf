"""`longshore-api rotate-secrets`: lets an old one of SECRET_KEYS go."""

import click

from api_service.commands.command_database import use_database
from api_service.commands.command_errors import told_in_one_line
from api_service.commands.rotate_secrets import rotate_secrets as rotate
from api_service.settings import read_secret_box


@click.command(name="rotate-secrets")
@told_in_one_line
def rotate_secrets() -> None:
    """Encrypt all stored credentials with the first of SECRET_KEYS.

    Put the new key first, keep the old ones behind it, restart all services, run this, then remove the old keys.
    """
    secrets = read_secret_box()
    rotation = use_database(lambda connection: rotate(connection, secrets))
    click.echo(f"{rotation.rotated} secrets are encrypted with the first key.", err=True)
    if rotation.unreadable:
        raise click.ClickException(
            f"{rotation.unreadable} could not be opened with any of SECRET_KEYS; they are as they were."
        )
