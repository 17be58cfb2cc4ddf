"""The uploads that imports have opened at the target, so that those of ended imports can be cancelled there."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# `key` is a hash of the address: an address may be longer than an index takes. The name of the import refers to no row,
# because the uploads of a deleted import have to be cancelled, too.
UPLOADS = """
CREATE TABLE target_uploads (
    key         text PRIMARY KEY,
    registry    text NOT NULL,
    repository  text NOT NULL,
    address     text NOT NULL,
    import_name text NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),
    tries       integer NOT NULL DEFAULT 0
)
"""


def upgrade() -> None:
    op.execute(UPLOADS)


def downgrade() -> None:
    op.execute("DROP TABLE target_uploads")
