"""Images and imports belong to an issuer's subject; `created_by` and `requested_by` are for display."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The issuer is '' for users that only Longshore's API tokens name. A NULL subject means the name for display: existing
# rows need no rewrite. A NULL role: accepted by a release without import rules, and not checked against them.
UP = (
    "ALTER TABLE images ADD COLUMN owner_issuer text NOT NULL DEFAULT '', ADD COLUMN owner_subject text",
    """
    ALTER TABLE imports
        ADD COLUMN requester_issuer text NOT NULL DEFAULT '',
        ADD COLUMN requester_subject text,
        ADD COLUMN requester_role text CHECK (requester_role IN ('user', 'admin')),
        ADD COLUMN requester_groups text[] NOT NULL DEFAULT '{}'
    """,
)

DOWN = (
    "ALTER TABLE images DROP COLUMN owner_issuer, DROP COLUMN owner_subject",
    """
    ALTER TABLE imports DROP COLUMN requester_issuer, DROP COLUMN requester_subject, DROP COLUMN requester_role,
        DROP COLUMN requester_groups
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
