"""Adding an import: its row, the wake-up for a worker, and the image's row if there is none, in one statement."""

from dataclasses import dataclass, field

from shared.db.database import Connection
from shared.db.outbox import WakeUpReason
from shared.model.owner import Requester
from shared.runtime.logs import request_id
from shared.tracing.spans import traceparent


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """The image that a first import creates. `registry_host` is the target's public name."""

    registry_host: str
    repository: str
    tag: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """An import to add to the queue.

    `source_digest` is pinned if the API could resolve the source. `platforms`: empty means all. `credentials` are the
    sealed account; they are stored until the import ends. The `requester` owns the image that a first import creates.
    `request_id` and `traceparent` are those of the request that this process is handling.
    """

    name: str
    source: str
    source_digest: str | None = None
    platforms: tuple[str, ...] = ()
    credentials: bytes | None = None
    requester: Requester
    with_referrers: bool = True
    request_id: str | None = field(default_factory=request_id)
    traceparent: str | None = field(default_factory=traceparent)

    def values(self) -> tuple[object, ...]:
        """Return the parameters $1 to $13 of `_ADD_IMPORT`."""
        return (
            self.name,
            self.source,
            self.source_digest,
            list(self.platforms),
            self.credentials,
            self.requester.user,
            self.with_referrers,
            self.request_id,
            self.traceparent,
            self.requester.owner.issuer,
            self.requester.owner.subject,
            self.requester.role and self.requester.role.value,
            sorted(self.requester.groups),
        )


# $1 to $13 are the import's values, $14 the wake-up's reason; `image` is one row with the image's id, or none.
_ADD_IMPORT = """
    import AS (
        INSERT INTO imports
            (name, image_id, state, source, source_digest, platforms, credentials, requested_by, with_referrers,
             request_id, traceparent, requester_issuer, requester_subject, requester_role, requester_groups)
        SELECT $1, id, 'queued', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM image
        RETURNING id
    ), wake_up AS (
        INSERT INTO outbox (import_id, reason) SELECT id, $14 FROM import
    )
"""


async def insert_import(connection: Connection, image_id: int, new: NewImport, reason: WakeUpReason) -> int:
    """Add a queued import and its wake-up; return the import's id. The image's row must be locked, or be new."""
    import_id: int = await connection.fetchval(
        f"WITH image AS (SELECT $15::bigint AS id), {_ADD_IMPORT} SELECT id FROM import",  # noqa: S608 - fixed text
        *new.values(),
        reason,
        image_id,
    )
    return import_id


async def insert_first_import(connection: Connection, image: NewImage, new: NewImport) -> int | None:
    """Add an image with its import and wake-up; return the image's id.

    Returns None and writes nothing if the target exists already. If another request is creating it at this moment, the
    statement waits for that request's transaction to end.
    """
    image_id: int | None = await connection.fetchval(
        f"""
        WITH image AS (
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, description,
                                owner_issuer, owner_subject)
            VALUES ($15, $16, $17, 'importing', $2, $6, $18, $10, $11)
            ON CONFLICT ON CONSTRAINT images_target_key DO NOTHING
            RETURNING id
        ), {_ADD_IMPORT} SELECT id FROM image
        """,  # noqa: S608 - fixed text
        *new.values(),
        WakeUpReason.REQUESTED,
        image.registry_host,
        image.repository,
        image.tag,
        image.description,
    )
    return image_id
