"""Who may have a blob: proofs for mounts from other projects, and images whose source needed an account."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# A row says that an import has read the blob's bytes from this host; '' stands for any host without an account: the
# blob is public. The ledger (`blobs`) says where a blob is, this says who may have it. Empty at first: what is known
# before this migration is unproven.
PROOFS = """
CREATE TABLE blob_proofs (
    registry    text NOT NULL,
    digest      text NOT NULL,
    source_host text NOT NULL,
    proved_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, digest, source_host)
)
"""

# NULL: the transfer proves nothing to other projects.
TRANSFERS = """
ALTER TABLE blob_flights ADD COLUMN source_host text, ADD COLUMN with_account boolean NOT NULL DEFAULT true
"""

# Existing images count as private, because it is not known which of their sources needed an account. `digest_source` is
# the source that `digest` was imported from; NULL: `source`, which is that of the newest import.
PRIVATE = (
    "ALTER TABLE images ADD COLUMN source_private boolean NOT NULL DEFAULT true",
    "ALTER TABLE images ALTER COLUMN source_private SET DEFAULT false",
    "ALTER TABLE images ADD COLUMN digest_source text",
    "ALTER TABLE imports ADD COLUMN with_account boolean NOT NULL DEFAULT true",
    "ALTER TABLE imports ALTER COLUMN with_account SET DEFAULT false",
)


def upgrade() -> None:
    for statement in (PROOFS, TRANSFERS, *PRIVATE):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE imports DROP COLUMN with_account")
    op.execute("ALTER TABLE images DROP COLUMN source_private, DROP COLUMN digest_source")
    op.execute("ALTER TABLE blob_flights DROP COLUMN source_host, DROP COLUMN with_account")
    op.execute("DROP TABLE blob_proofs")
