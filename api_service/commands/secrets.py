"""`longshore-api rotate-secrets`: encrypts stored credentials with the newest key, so that old keys can go.

It also replaces the form of earlier releases, which names neither host nor purpose, by the present one.
"""

from dataclasses import dataclass

import click

from api_service.commands.common import one_line_errors, record, use_database
from api_service.settings import read_secret_box
from shared.db.database import Connection
from shared.db.sealed import SEALED_COLUMNS, SealedColumn, SealedText, replace_sealed, sealed_texts
from shared.errors.error import LongshoreError
from shared.model.sealed_account import seal, unseal
from shared.runtime.secret_box import SecretBox

# Rows read at a time, so that memory does not depend on their number.
BATCH = 500


@dataclass(slots=True, kw_only=True)
class Rotation:
    """The number of texts that were encrypted again, and of those that do not open in their rows."""

    rotated: int = 0
    unreadable: int = 0


@click.command(name="rotate-secrets")
@one_line_errors
def rotate_secrets() -> None:
    """Encrypt all stored credentials with the first of SECRET_KEYS.

    Put the new key first, keep the old ones behind it, restart all services, run this, then remove the old keys.
    """
    secrets = read_secret_box()
    rotation = use_database(lambda connection: rotate(connection, secrets))
    click.echo(f"{rotation.rotated} secrets are encrypted with the first key.", err=True)
    if rotation.unreadable:
        raise click.ClickException(
            f"{rotation.unreadable} could not be opened: none of SECRET_KEYS fits, or they were encrypted for another "
            "host, user name or purpose than their row names. They are unchanged."
        )


async def rotate(connection: Connection, secrets: SecretBox) -> Rotation:
    """Encrypt every sealed text with the first key, bound to its row; safe to repeat, and while the services run."""
    rotation = Rotation()
    for column in SEALED_COLUMNS:
        after = 0
        while texts := await sealed_texts(connection, column, after=after, limit=BATCH):
            for text in texts:
                await _rotate_text(connection, secrets, column, text, rotation)
            after = texts[-1].id
    await record(connection, "command:rotateSecrets", f"{rotation.rotated} rotated, {rotation.unreadable} unreadable")
    return rotation


async def _rotate_text(
    connection: Connection, secrets: SecretBox, column: SealedColumn, text: SealedText, rotation: Rotation
) -> None:
    try:
        sealed = seal(secrets, unseal(secrets, text.sealed, text.binding), text.binding)
    except LongshoreError:
        rotation.unreadable += 1
        return
    # A text that a service changes meanwhile is sealed with that service's first key.
    rotation.rotated += await replace_sealed(connection, column, text, sealed)
