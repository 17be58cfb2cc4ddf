"""Which users may use a stored registry's account, for which repositories, and into which projects."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# All NULL: admins alone. The subjects and patterns are those of import rules.
UP = """
ALTER TABLE source_registries
    ADD COLUMN access_subjects text[],
    ADD COLUMN access_repositories text[],
    ADD COLUMN access_targets text[],
    ADD CONSTRAINT source_registries_access_whole CHECK (
        num_nulls(access_subjects, access_repositories, access_targets) IN (0, 3)
    )
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE source_registries DROP COLUMN access_subjects, DROP COLUMN access_repositories,"
        " DROP COLUMN access_targets"
    )
