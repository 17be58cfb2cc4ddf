"""When stored registries were tested: bounds the tests of all API instances together."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# By host, so that a registry that is deleted and stored again is the same one. The rows are those of an hour, at most
# 1,200: no index.
UP = """
CREATE TABLE registry_tests (
    host      text NOT NULL,
    tested_at timestamptz NOT NULL DEFAULT now()
)
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE registry_tests")
