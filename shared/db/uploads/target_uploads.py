"""The uploads that imports have opened at the target, from before their first byte until they are known to be over.

Uploads of an import that has ended, or has been deleted, are left behind: the API cancels them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.db.database import Connection
from shared.model.states import OPEN_STATES

_OPEN = sorted(state.value for state in OPEN_STATES)
# After so many tries the time until the next one no longer grows; the power of a larger number would not fit.
_MAX_DOUBLINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftUpload:
    """An upload by the newest address that the target has given for it, as far as it is known."""

    repository: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The time until an upload is looked at again: `first`, twice as long after each try, at most `most`. Seconds."""

    first: float
    most: float


async def add(connection: Connection, registry: str, uploads: Sequence[LeftUpload], *, import_name: str) -> None:
    """Record open uploads, or their new addresses, as this import's, also those that another import opened."""
    await connection.execute(
        """
        INSERT INTO target_uploads (key, registry, repository, address, import_name)
        SELECT key, $1, repository, address, $2
        FROM unnest($3::text[], $4::text[], $5::text[]) AS opened (key, repository, address)
        ON CONFLICT (key) DO UPDATE
        SET import_name = excluded.import_name, address = excluded.address, opened_at = now(), due_at = now(), tries = 0
        """,
        registry,
        import_name,
        [_key(upload.address) for upload in uploads],
        [upload.repository for upload in uploads],
        [upload.address for upload in uploads],
    )


async def remove(connection: Connection, addresses: Iterable[str]) -> None:
    """Forget uploads that the target no longer has."""
    await connection.execute("DELETE FROM target_uploads WHERE key = ANY ($1)", [_key(one) for one in addresses])


async def take_left(connection: Connection, registry: str, *, limit: int, again: Backoff) -> Sequence[LeftUpload]:
    """Return due uploads of imports that have ended, those that have been due for the longest time first.

    Another call does not return them before they are due again.
    """
    rows = await connection.fetch(
        """
        UPDATE target_uploads
        SET due_at = now() + make_interval(secs => least($3 * 2 ^ least(tries, $6), $4)), tries = tries + 1
        WHERE key = ANY (ARRAY(
            SELECT key FROM target_uploads
            WHERE registry = $1 AND due_at <= now() AND NOT EXISTS (
                SELECT FROM imports WHERE imports.name = target_uploads.import_name AND imports.state = ANY ($5)
            )
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        RETURNING repository, address
        """,
        registry,
        limit,
        again.first,
        again.most,
        _OPEN,
        _MAX_DOUBLINGS,
    )
    return [LeftUpload(repository=row["repository"], address=row["address"]) for row in rows]


async def purge(connection: Connection, *, older_than: float, limit: int) -> int:
    """Delete at most `limit` uploads that were opened so many seconds ago; return their number."""
    status = await connection.execute(
        """
        DELETE FROM target_uploads WHERE key = ANY (ARRAY(
            SELECT key FROM target_uploads WHERE opened_at < now() - make_interval(secs => $1) LIMIT $2
        ))
        """,
        older_than,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _key(address: str) -> str:
    """Return the upload's name: without the state in the query, which registries change with each request."""
    return hashlib.sha256(address.partition("?")[0].encode()).hexdigest()
