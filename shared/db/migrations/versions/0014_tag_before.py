"""What the target's tag pointed to when an import was accepted, so that nothing else is overwritten."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# `tag_before` is a digest, '' where there was no such tag, NULL where it is not known (yet). `replaces_foreign`: the
# tag was written by another client, and a rule and the request allow the import to replace it.
UP = """
ALTER TABLE imports
    ADD COLUMN tag_before text,
    ADD COLUMN replaces_foreign boolean NOT NULL DEFAULT false
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("ALTER TABLE imports DROP COLUMN tag_before, DROP COLUMN replaces_foreign")
