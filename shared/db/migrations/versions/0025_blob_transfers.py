"""Transfers of blobs by source: an import waits only for one from its own source, with the size that it expects."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Takes the place of `blob_flights`, whose key has no source: there, one import's slow source held up all others that
# needed the digest. The workers of the last release still use the old table; the two see no transfers of each other.
# A transfer lives as long as its import's attempt holds its lease; `attempt` 0: it has ended, and its upload is kept.
# `sent` is how many bytes have arrived, as the transferring worker wrote it last.
TRANSFERS = """
CREATE TABLE blob_transfers (
    registry     text NOT NULL,
    digest       text NOT NULL,
    source_host  text NOT NULL,
    size         bigint NOT NULL,
    with_account boolean NOT NULL,
    import_name  text NOT NULL REFERENCES imports (name) ON DELETE CASCADE,
    attempt      integer NOT NULL,
    repository   text NOT NULL,
    upload       text,
    sent         bigint NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, digest, source_host, size)
)
"""

TRANSFERS_OF_IMPORT = "CREATE INDEX blob_transfers_of_import ON blob_transfers (import_name)"


def upgrade() -> None:
    op.execute(TRANSFERS)
    op.execute(TRANSFERS_OF_IMPORT)


def downgrade() -> None:
    op.execute("DROP TABLE blob_transfers")
