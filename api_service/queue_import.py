"""A new import of an image: its row, and the wake-up for a worker."""

import json
from dataclasses import dataclass

from api_service.import_name import new_import_name
from shared.db import imports, outbox
from shared.db.database import Connection
from shared.registry.credential import Credential
from shared.secret_box import SecretBox


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """What is to be imported for an image, whose row is locked or new. `digest` is pinned where it is known."""

    image_id: int
    repository: str
    tag: str
    source: str
    digest: str | None
    platforms: tuple[str, ...]
    credential: Credential | None
    user: str


async def queue_import(connection: Connection, secrets: SecretBox, new: NewImport, reason: str) -> str:
    """Add the import and return its name; the credential is stored encrypted, for as long as the import is open."""
    name = new_import_name(new.repository, new.tag)
    import_id = await imports.insert_import(
        connection,
        name=name,
        image_id=new.image_id,
        source=new.source,
        source_digest=new.digest,
        platforms=new.platforms,
        credentials=_sealed(secrets, new.credential),
        user=new.user,
    )
    await outbox.add(connection, import_id, reason)
    return name


def _sealed(secrets: SecretBox, credential: Credential | None) -> bytes | None:
    if credential is None:
        return None
    return secrets.seal(json.dumps({"username": credential.username, "password": credential.password}))
