"""Which descriptions are the images' own, so that a newer image brings a newer one."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# False where somebody gave the description, and where that is not known: what is there before this is kept.
UP = "ALTER TABLE images ADD COLUMN description_is_own boolean NOT NULL DEFAULT false"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("ALTER TABLE images DROP COLUMN description_is_own")
