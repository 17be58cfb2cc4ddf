"""API tokens that users make for themselves: their owner, groups, and a description."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# The issuer is '' for users that only API tokens name; a NULL subject means `user_name`. `made_by` is the token with
# which a user made another one, which is revoked with it; no foreign key, because ended tokens are deleted.
UP = (
    """
    ALTER TABLE api_tokens
        ADD COLUMN issuer text NOT NULL DEFAULT '',
        ADD COLUMN subject text,
        ADD COLUMN groups text[] NOT NULL DEFAULT '{}',
        ADD COLUMN description text NOT NULL DEFAULT '',
        ADD COLUMN created_by text,
        ADD COLUMN made_by bigint
    """,
    "CREATE INDEX api_tokens_of_owner ON api_tokens (issuer, coalesce(subject, user_name))",
    "CREATE INDEX api_tokens_made_by ON api_tokens (made_by) WHERE made_by IS NOT NULL",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX api_tokens_of_owner, api_tokens_made_by")
    op.execute(
        "ALTER TABLE api_tokens DROP COLUMN issuer, DROP COLUMN subject, DROP COLUMN groups, DROP COLUMN description,"
        " DROP COLUMN created_by, DROP COLUMN made_by"
    )
