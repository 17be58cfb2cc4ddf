"""Adding an import: its row, the wake-up for a worker, and the image's row if there is none, in one statement."""

from dataclasses import dataclass, field

from shared.db.access.rule_usage import OPEN_OF_USER
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
    `rule_id` is the import rule that allows the import, None for admins; `weight` is that rule's, or an admin's;
    `force` is the request's. `tag_before` is the digest of the target's tag, '' if there is none, None if the target
    did not answer; `replaces_foreign`: no import of Longshore's wrote it, and it may be replaced. `request_id` and
    `traceparent` are those of the request that this process is handling.
    """

    name: str
    source: str
    source_digest: str | None = None
    platforms: tuple[str, ...] = ()
    credentials: bytes | None = None
    requester: Requester
    rule_id: int | None = None
    weight: int = 1
    force: bool = False
    with_referrers: bool = True
    tag_before: str | None = None
    replaces_foreign: bool = False
    request_id: str | None = field(default_factory=request_id)
    traceparent: str | None = field(default_factory=traceparent)

    @property
    def with_account(self) -> bool:
        """Whether the import reads its source with an account: other users do not see its digests."""
        return self.credentials is not None

    def values(self) -> tuple[object, ...]:
        """Return the values of `_COLUMNS`."""
        return (
            self.name,
            self.source,
            self.source_digest,
            list(self.platforms),
            self.credentials,
            self.requester.user,
            self.requester.owner.issuer,
            self.requester.owner.subject,
            self.requester.role and self.requester.role.value,
            sorted(self.requester.groups),
            self.rule_id,
            self.weight,
            self.force,
            self.with_referrers,
            self.tag_before,
            self.replaces_foreign,
            self.with_account,
            self.request_id,
            self.traceparent,
        )


_COLUMNS = (
    "name",
    "source",
    "source_digest",
    "platforms",
    "credentials",
    "requested_by",
    "requester_issuer",
    "requester_subject",
    "requester_role",
    "requester_groups",
    "rule_id",
    "weight",
    "force",
    "with_referrers",
    "tag_before",
    "replaces_foreign",
    "with_account",
    "request_id",
    "traceparent",
)
# The statements' parameters: first the columns, then the wake-up's reason, then those of the image.
_PARAMETER = {column: f"${number}" for number, column in enumerate(_COLUMNS, start=1)}
_REASON, _IMAGE = len(_COLUMNS) + 1, len(_COLUMNS) + 2

_OPEN = OPEN_OF_USER.format(issuer=_PARAMETER["requester_issuer"], subject=_PARAMETER["requester_subject"])

# `image` is one row with the image's id, or none.
_ADD_IMPORT = f"""
    import AS (
        INSERT INTO imports (image_id, state, {", ".join(_COLUMNS)})
        SELECT id, 'queued', {", ".join(_PARAMETER.values())} FROM image
        RETURNING id
    ), wake_up AS (
        INSERT INTO outbox (import_id, reason) SELECT id, ${_REASON} FROM import
    )
"""  # noqa: S608 - fixed text


async def insert_import(connection: Connection, image_id: int, new: NewImport, reason: WakeUpReason) -> int:
    """Add a queued import and its wake-up; return the import's id. The image's row must be locked, or be new."""
    import_id: int = await connection.fetchval(
        f"WITH image AS (SELECT ${_IMAGE}::bigint AS id), {_ADD_IMPORT} SELECT id FROM import",  # noqa: S608 - fixed text
        *new.values(),
        reason,
        image_id,
    )
    return import_id


async def insert_first_import(
    connection: Connection, image: NewImage, new: NewImport, *, most_open: int | None = None
) -> int | None:
    """Add an image with its import and wake-up; return the image's id.

    Returns None and writes nothing if the target exists already, or if the requester has `most_open` open imports. If
    another request is creating the target at this moment, the statement waits for that request's transaction to end.
    """
    image_id: int | None = await connection.fetchval(
        f"""
        WITH image AS (
            INSERT INTO images (registry_host, repository, tag, status, source, created_by, description,
                                owner_issuer, owner_subject)
            SELECT ${_IMAGE}, ${_IMAGE + 1}, ${_IMAGE + 2}, 'importing', {_PARAMETER["source"]},
                   {_PARAMETER["requested_by"]}, ${_IMAGE + 3},
                   {_PARAMETER["requester_issuer"]}, {_PARAMETER["requester_subject"]}
            WHERE ${_IMAGE + 4}::bigint IS NULL OR ${_IMAGE + 4} > (
                SELECT count(*) FROM ({_OPEN} LIMIT ${_IMAGE + 4}) AS opened
            )
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
        most_open,
    )
    return image_id
