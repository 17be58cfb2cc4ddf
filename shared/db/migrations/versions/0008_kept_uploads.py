"""Uploads that another worker can go on with: where a flight's blob is being sent."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE blob_flights ADD COLUMN repository text, ADD COLUMN upload text")


def downgrade() -> None:
    op.execute("ALTER TABLE blob_flights DROP COLUMN repository, DROP COLUMN upload")
