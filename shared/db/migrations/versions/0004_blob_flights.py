"""Blobs on their way into the target: one import brings each, the others wait for it."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A flight lives as long as its import's attempt holds its lease; nothing else has to end it.
FLIGHTS = """
CREATE TABLE blob_flights (
    registry    text NOT NULL,
    digest      text NOT NULL,
    import_name text NOT NULL REFERENCES imports (name) ON DELETE CASCADE,
    attempt     integer NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, digest)
)
"""

FLIGHTS_OF_IMPORT = "CREATE INDEX blob_flights_of_import ON blob_flights (import_name)"


def upgrade() -> None:
    op.execute(FLIGHTS)
    op.execute(FLIGHTS_OF_IMPORT)


def downgrade() -> None:
    op.execute("DROP TABLE blob_flights")
