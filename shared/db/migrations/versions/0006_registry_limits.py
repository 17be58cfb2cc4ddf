"""Rate limits of source and target registries, met by one process and known to all."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# `account` is a fingerprint, empty for anonymous access. `share` is how much may be done at a time when the limit has
# ended, as a part of what is done otherwise.
LIMITS = """
CREATE TABLE registry_limits (
    host       text NOT NULL,
    account    text NOT NULL,
    scope      text NOT NULL,
    resumes_at timestamptz NOT NULL,
    share      double precision NOT NULL CHECK (share > 0 AND share <= 1),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, account, scope)
)
"""


def upgrade() -> None:
    op.execute(LIMITS)


def downgrade() -> None:
    op.execute("DROP TABLE registry_limits")
