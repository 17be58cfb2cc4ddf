"""Imports, the authoritative record of the queue: adding, reading and locking them, and finding overlooked ones.

`import_states` changes their state, `import_progress` stores their progress.

Times are the database's own, so that no service's clock matters.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.db.database import Connection
from shared.errors.codes import Code
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from shared.model.states import ImportState

# NOTIFY channel to which the imports' trigger sends an image's id.
CHANNEL = "longshore_imports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import. `rate` is in bytes per second, `progress` in per cent.

    `idle` is the number of seconds since bytes last moved (None before that), `age` since the last change of any kind.
    `tagging`: some attempt may have written the target's tag. `fenced`: the running attempt is allowed to write it.
    `with_referrers`: the image's referrers are imported, too; `note` names those that were left out.
    `rule_id` is the import rule that allowed it, None for admins; `force` is the request's. `begun`: the running
    attempt has asked for its terms, or needs none, because the import was accepted before there were import rules.
    `tag_before` is the digest of the target's tag when the import was accepted, '' if there was none, None while that
    is not known; `replaces_foreign`: no import of Longshore's wrote it, and this one may replace it.
    `tried` is the number of seconds since its first attempt began.
    `with_account`: it reads its source with an account. `claim_token`: see `shared.model.claim`.
    """

    id: int
    name: str
    image_id: int
    state: ImportState
    source: str
    source_digest: str | None
    platforms: tuple[str, ...]
    requester: Requester
    attempt: int
    failures: int
    sequence: int
    due_at: datetime
    tagging: bool
    fenced: bool = False
    bytes_done: int
    bytes_total: int
    progress: int
    rate: float
    idle: float | None
    age: float
    error_code: Code | None
    error_detail: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    with_referrers: bool = True
    note: str = ""
    rule_id: int | None = None
    force: bool = False
    begun: bool = True
    tag_before: str | None = None
    replaces_foreign: bool = False
    with_account: bool = False
    claim_token: UUID | None = None
    tried: float | None = None


_COLUMNS = """
    id, name, image_id, state, source, source_digest, platforms, requested_by, requester_issuer,
    requester_subject, requester_role, requester_groups, attempt, failures, sequence, due_at,
    tagging, state = 'running' AND fenced_attempt = attempt AS fenced, bytes_done, bytes_total, progress, rate,
    extract(epoch FROM now() - moved_at)::float8 AS idle, extract(epoch FROM now() - updated_at)::float8 AS age,
    error_code, error_detail, created_at, started_at, finished_at, with_referrers, note, rule_id, force,
    requester_role IS NULL OR coalesce(begun_attempt = attempt, false) AS begun,
    tag_before, replaces_foreign, with_account, claim_token, extract(epoch FROM now() - started_at)::float8 AS tried
"""


async def latest_import(connection: Connection, image_id: int) -> Import | None:
    """Return the newest import of an image."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE image_id = $1 ORDER BY id DESC LIMIT 1",  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def latest_ready_import(connection: Connection, image_id: int) -> Import | None:
    """Return the newest import that made the image ready."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE image_id = $1 AND state = 'ready' ORDER BY id DESC LIMIT 1",  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def get_import(connection: Connection, name: str) -> Import | None:
    """Return the import with this name, without locking it."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM imports WHERE name = $1", name)  # noqa: S608 - fixed text
    return _import(row) if row else None


async def lock_import(connection: Connection, name: str) -> Import | None:
    """Return the import with this name, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE name = $1 FOR UPDATE",  # noqa: S608 - fixed text
        name,
    )
    return _import(row) if row else None


async def lock_open(connection: Connection, image_id: int) -> Import | None:
    """Return this image's open import, locked until the transaction ends.

    A transaction that locks an image and its import locks the import first.
    """
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM imports WHERE image_id = $1 AND state IN ('queued', 'running', 'waiting') FOR UPDATE
        """,  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def digests_tagged_since_ready(connection: Connection, image_id: int) -> frozenset[str]:
    """Return the digests that imports may have pointed the target's tag to since the image was last ready."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT coalesce(tag_digest, source_digest) AS digest FROM imports
        WHERE image_id = $1 AND tagging AND coalesce(tag_digest, source_digest) IS NOT NULL
          AND id > (SELECT coalesce(max(id), 0) FROM imports WHERE image_id = $1 AND state = 'ready')
        """,
        image_id,
    )
    return frozenset(row["digest"] for row in rows)


async def digests_written(connection: Connection, image_id: int) -> frozenset[str]:
    """Return the digests that imports of this image, or of a deleted one with its name, have tagged, or may have."""
    rows = await connection.fetch(
        """
        SELECT digest FROM images WHERE id = $1 AND digest IS NOT NULL
        UNION
        SELECT coalesce(tag_digest, source_digest) FROM imports
        WHERE image_id = $1 AND tagging AND coalesce(tag_digest, source_digest) IS NOT NULL
        UNION
        SELECT tag_writes.digest FROM images JOIN tag_writes USING (registry_host, repository, tag)
        WHERE images.id = $1
        """,
        image_id,
    )
    return frozenset(row["digest"] for row in rows)


async def record_tag_before(connection: Connection, import_id: int, digest: str, *, replaces_foreign: bool) -> None:
    """Record what the target's tag points to, '' for no tag, for an import that was accepted without that answer."""
    await connection.execute(
        "UPDATE imports SET tag_before = $2, replaces_foreign = $3 WHERE id = $1 AND tag_before IS NULL",
        import_id,
        digest,
        replaces_foreign,
    )


async def record_begin(connection: Connection, import_id: int, *, rule_id: int | None) -> None:
    """Record that the running attempt has asked for its terms, and the rule by which the import goes on."""
    await connection.execute(
        "UPDATE imports SET begun_attempt = attempt, rule_id = $2 WHERE id = $1", import_id, rule_id
    )


async def get_account(connection: Connection, import_id: int) -> bytes | None:
    """Return the sealed account of the import's source; None for anonymous access, and once the import has ended."""
    sealed: bytes | None = await connection.fetchval("SELECT credentials FROM imports WHERE id = $1", import_id)
    return sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredLease:
    """A running import whose lease has expired. Pages of them follow the order of these two values."""

    lease_until: datetime
    import_id: int


async def expired_leases(connection: Connection, *, after: ExpiredLease | None, limit: int) -> list[ExpiredLease]:
    """Return the running imports whose lease has expired, oldest first, beginning behind `after`; locks nothing."""
    rows = await connection.fetch(
        """
        SELECT lease_until, id AS import_id FROM imports
        WHERE state = 'running' AND lease_until < now()
          AND (lease_until, id) > (coalesce($1::timestamptz, '-infinity'), coalesce($2::bigint, 0))
        ORDER BY lease_until, id LIMIT $3
        """,
        after and after.lease_until,
        after and after.import_id,
        limit,
    )
    return [ExpiredLease(**dict(row)) for row in rows]


async def lock_expired(connection: Connection, import_id: int) -> Import | None:
    """Return the import, locked, if its lease has expired; None also while another transaction has locked it."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM imports WHERE id = $1 AND state = 'running' AND lease_until < now()
        FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - fixed text
        import_id,
    )
    return _import(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueImport:
    """An open import past its deadline, which counts from `since`. `unbegun`: no attempt of it has begun.

    Pages of them follow the order of `since` and `import_id`.
    """

    since: datetime
    import_id: int
    unbegun: bool = False


async def overdue_imports(
    connection: Connection, *, deadline: float, after: OverdueImport | None, limit: int
) -> list[OverdueImport]:
    """Return open imports whose first attempt began `deadline` seconds ago or earlier, oldest first; lock nothing."""
    rows = await connection.fetch(
        """
        SELECT started_at AS since, id AS import_id FROM imports
        WHERE state IN ('queued', 'running', 'waiting') AND started_at <= now() - make_interval(secs => $1)
          AND (started_at, id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::bigint, 0))
        ORDER BY started_at, id LIMIT $4
        """,
        deadline,
        after and after.since,
        after and after.import_id,
        limit,
    )
    return [OverdueImport(**dict(row)) for row in rows]


async def unbegun_imports(
    connection: Connection, *, due_for: float, after: OverdueImport | None, limit: int
) -> list[OverdueImport]:
    """Return open imports that no worker has begun, due for `due_for` seconds, oldest first; lock nothing."""
    rows = await connection.fetch(
        """
        SELECT due_at AS since, id AS import_id, true AS unbegun FROM imports
        WHERE state IN ('queued', 'waiting') AND due_at <= now() - make_interval(secs => $1) AND started_at IS NULL
          AND (due_at, id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::bigint, 0))
        ORDER BY due_at, id LIMIT $4
        """,
        due_for,
        after and after.since,
        after and after.import_id,
        limit,
    )
    return [OverdueImport(**dict(row)) for row in rows]


async def lock_overdue(connection: Connection, import_id: int) -> Import | None:
    """Return the import, locked, if it is open; None also while another transaction has locked it."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM imports WHERE id = $1 AND state IN ('queued', 'running', 'waiting')
        FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - fixed text
        import_id,
    )
    return _import(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueImport:
    """An import that has been due for a while. `overlooked`: no message for it is under way, nor was one sent lately.

    Pages of them follow the order of `due_at` and `id`.
    """

    due_at: datetime
    id: int
    overlooked: bool


async def due_imports(
    connection: Connection, *, due_for: float, after: DueImport | None, limit: int
) -> list[DueImport]:
    """Return imports that have been due for `due_for` seconds, oldest first, beginning behind `after`.

    One is overlooked if all of its messages are published, the last of them `due_for` seconds ago or longer. That time
    doubles with every message of an import, up to sixteen times: most imports that wait long have a message in a long
    queue, and must not make it longer still. The cost is that of `limit` imports, however many are due.
    """
    rows = await connection.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT due_at, id FROM imports
            WHERE state IN ('queued', 'waiting') AND due_at < now() - make_interval(secs => $1)
              AND (due_at, id) > (coalesce($2::timestamptz, '-infinity'), coalesce($3::bigint, 0))
            ORDER BY due_at, id LIMIT $4
        )
        SELECT due.due_at, due.id,
               NOT under_way AND (
                   last IS NULL OR last < now() - make_interval(secs => $1 * least(16, 2 ^ (sent - 1)))
               ) AS overlooked
        FROM due CROSS JOIN LATERAL (
            SELECT count(*) AS sent, count(*) > count(published_at) AS under_way, max(published_at) AS last
            FROM outbox WHERE import_id = due.id
        ) AS messages
        ORDER BY due.due_at, due.id
        """,
        due_for,
        after and after.due_at,
        after and after.id,
        limit,
    )
    return [DueImport(**dict(row)) for row in rows]


def _import(row: Any) -> Import:
    values = dict(row)
    values["state"] = ImportState(values["state"])
    values["platforms"] = tuple(values["platforms"])
    code = values["error_code"]
    values["error_code"] = None if code is None else Code(code)
    values["requester"] = _pop_requester(values)
    return Import(**values)


def _pop_requester(values: dict[str, Any]) -> Requester:
    """Remove the requester's columns from a row's values; return them as one value."""
    user, role = values.pop("requested_by"), values.pop("requester_role")
    return Requester(
        user=user,
        owner=Owner.of(values.pop("requester_issuer"), values.pop("requester_subject"), user=user),
        role=None if role is None else Role(role),
        groups=frozenset(values.pop("requester_groups")),
    )
