"""Proofs of blobs: from which source hosts imports have read a blob's bytes, and so who may have it.

The ledger (`blobs`) says where a blob is. Its digest alone gives no right to it: any registry can write any digest into
a manifest. Why: docs/decisions/0042.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.db.database import Connection
from shared.model.blob_origin import PUBLIC, BlobOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class MountCandidate:
    """A repository that is known to hold a blob. `confirm`: only if the import's source confirms that it has the blob.

    Without `confirm`, the repository is in the same project, or the blob is public.
    """

    repository: str
    confirm: bool


async def mount_candidates(
    connection: Connection, registry: str, digests: Sequence[str], *, to: str, confirming_host: str | None
) -> dict[str, MountCandidate]:
    """Return the best candidate for each digest that an import to the repository `to` may have.

    A repository of the same project is best, then a public blob, then one that was read from `confirming_host`; None
    leaves the last kind out. Of several, the most recently recorded one is returned.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (digest) digest, repository, rank = 3 AS confirm
        FROM (
            SELECT blobs.digest, repository, recorded_at,
                   CASE WHEN starts_with(repository, split_part($3, '/', 1) || '/') THEN 1
                        WHEN free.digest IS NOT NULL THEN 2
                        WHEN same_host.digest IS NOT NULL THEN 3 END AS rank
            FROM blobs
            LEFT JOIN blob_proofs AS free
                ON (free.registry, free.digest, free.source_host) = (blobs.registry, blobs.digest, $4)
            LEFT JOIN blob_proofs AS same_host
                ON (same_host.registry, same_host.digest, same_host.source_host) = (blobs.registry, blobs.digest, $5)
            WHERE blobs.registry = $1 AND blobs.digest = ANY($2::text[]) AND repository <> $3
        ) AS candidates
        WHERE rank IS NOT NULL
        ORDER BY digest, rank, recorded_at DESC
        """,
        registry,
        list(digests),
        to,
        PUBLIC,
        confirming_host,
    )
    return {row["digest"]: MountCandidate(repository=row["repository"], confirm=row["confirm"]) for row in rows}


async def record(connection: Connection, registry: str, digests: Iterable[str], origin: BlobOrigin) -> None:
    """Record that an import has read all bytes of these blobs from its source, and that their digests matched."""
    if origin.proof is None:
        return
    await connection.execute(
        """
        INSERT INTO blob_proofs (registry, digest, source_host) SELECT $1, digest, $2 FROM unnest($3::text[]) AS digest
        ON CONFLICT (registry, digest, source_host) DO UPDATE SET proved_at = now()
        """,
        registry,
        origin.proof,
        sorted(digests),
    )


async def delete_unused(connection: Connection, registry: str, digests: Sequence[str]) -> None:
    """Delete the proofs of those of these blobs that no repository is known to hold any more."""
    await connection.execute(
        """
        DELETE FROM blob_proofs
        WHERE registry = $1 AND digest = ANY($2::text[])
          AND NOT EXISTS (SELECT FROM blobs WHERE (blobs.registry, blobs.digest) = ($1, blob_proofs.digest))
        """,
        registry,
        list(digests),
    )
