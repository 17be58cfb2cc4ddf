"""Which request an import comes from, for logs and traces of whoever works on it later."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# NULL for what was accepted before this, and, the second one, where nothing is traced.
UP = "ALTER TABLE imports ADD COLUMN request_id text, ADD COLUMN traceparent text"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("ALTER TABLE imports DROP COLUMN request_id, DROP COLUMN traceparent")
