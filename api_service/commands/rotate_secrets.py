"""The use case behind `longshore-api rotate-secrets`: everything that rests encrypted, with the first key."""

from dataclasses import dataclass

from shared.db.database import Connection
from shared.db.sealed import SEALED_COLUMNS, SealedColumn, SealedText, replace_sealed, sealed_texts
from shared.errors.error import LongshoreError
from shared.runtime.secret_box import SecretBox

# Rows read at a time, so that memory does not depend on how many there are.
BATCH = 500


@dataclass(slots=True, kw_only=True)
class Rotation:
    """How many texts have been encrypted anew, and which ones no key opens."""

    rotated: int = 0
    unreadable: int = 0


async def rotate_secrets(connection: Connection, secrets: SecretBox) -> Rotation:
    """Go through all of them; safe to repeat, and to run beside the services."""
    rotation = Rotation()
    for column in SEALED_COLUMNS:
        after = 0
        while texts := await sealed_texts(connection, column, after=after, limit=BATCH):
            for text in texts:
                await _rotate(connection, secrets, column, text, rotation)
            after = texts[-1].id
    return rotation


async def _rotate(
    connection: Connection, secrets: SecretBox, column: SealedColumn, text: SealedText, rotation: Rotation
) -> None:
    try:
        sealed = secrets.reseal(text.sealed)
    except LongshoreError:
        rotation.unreadable += 1
        return
    # What somebody changes meanwhile is sealed by a service, with that service's first key.
    rotation.rotated += await replace_sealed(connection, column, text, sealed)
