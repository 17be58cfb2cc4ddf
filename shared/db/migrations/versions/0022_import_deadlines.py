"""Open imports in the order of their first attempts: those past their deadline are found without reading the rest."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STARTED_AND_OPEN = """
CREATE INDEX imports_started_and_open ON imports (started_at, id)
WHERE state IN ('queued', 'running', 'waiting') AND started_at IS NOT NULL
"""


def upgrade() -> None:
    op.execute(STARTED_AND_OPEN)


def downgrade() -> None:
    op.execute("DROP INDEX imports_started_and_open")
