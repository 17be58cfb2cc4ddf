"""A new import: its row, the wake-up for a worker, and the image's row where it is the first."""

from dataclasses import dataclass

from api_service.imports.name import new_import_name
from shared.db import imports, outbox
from shared.db.database import Connection
from shared.db.first_import import insert_first_import
from shared.model.credential import Credential
from shared.model.sealed_account import seal_account
from shared.runtime.logs import request_id
from shared.runtime.secret_box import SecretBox
from shared.tracing.spans import traceparent


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """What is to be imported. `digest` is pinned where it is known; `with_referrers`: what refers to it comes along."""

    repository: str
    tag: str
    source: str
    digest: str | None
    platforms: tuple[str, ...]
    credential: Credential | None
    user: str
    with_referrers: bool


async def queue_import(connection: Connection, secrets: SecretBox, image_id: int, new: NewImport, reason: str) -> str:
    """Add an import for an image whose row is locked, and return its name.

    The credential is stored encrypted, for as long as the import is open.
    """
    name = new_import_name(new.repository, new.tag)
    import_id = await imports.insert_import(
        connection,
        name=name,
        image_id=image_id,
        source=new.source,
        source_digest=new.digest,
        platforms=new.platforms,
        credentials=seal_account(secrets, new.credential),
        user=new.user,
        with_referrers=new.with_referrers,
        request_id=request_id(),
        traceparent=traceparent(),
    )
    await outbox.add(connection, import_id, reason)
    return name


async def queue_first_import(
    connection: Connection, secrets: SecretBox, new: NewImport, *, registry_host: str, description: str
) -> tuple[int, str] | None:
    """Add an image with its import; return its id and the import's name, None where the image exists already."""
    name = new_import_name(new.repository, new.tag)
    image_id = await insert_first_import(
        connection,
        registry_host=registry_host,
        repository=new.repository,
        tag=new.tag,
        description=description,
        name=name,
        source=new.source,
        source_digest=new.digest,
        platforms=new.platforms,
        credentials=seal_account(secrets, new.credential),
        user=new.user,
        with_referrers=new.with_referrers,
        request_id=request_id(),
        traceparent=traceparent(),
    )
    return (image_id, name) if image_id else None
