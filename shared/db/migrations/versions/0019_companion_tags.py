"""The companion tags and lists of referrers that imports wrote, so that those of other clients are left alone."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# One row for each digest that an import has pointed such a tag to, written before it does. Tags of earlier releases
# have no row: they count as another client's, and stay.
UP = """
CREATE TABLE companion_tags (
    registry   text NOT NULL,
    repository text NOT NULL,
    tag        text NOT NULL,
    digest     text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, repository, tag, digest)
)
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE companion_tags")
