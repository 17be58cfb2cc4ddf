"""What refers to images: whether an import brings it, how much it brought, and what it could not."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# `with_referrers` is what was asked for; `note` tells people of a good end what is not as they may expect.
IMPORTS = """
ALTER TABLE imports
    ADD COLUMN with_referrers boolean NOT NULL DEFAULT true,
    ADD COLUMN note text NOT NULL DEFAULT ''
"""

IMAGES = "ALTER TABLE images ADD COLUMN referrers integer NOT NULL DEFAULT 0"


def upgrade() -> None:
    op.execute(IMPORTS)
    op.execute(IMAGES)


def downgrade() -> None:
    op.execute("ALTER TABLE images DROP COLUMN referrers")
    op.execute("ALTER TABLE imports DROP COLUMN with_referrers, DROP COLUMN note")
