"""An import rule gives its users' imports a weight. Why: docs/decisions/0048."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# The API of the last release adds imports without a weight, while the new one runs beside it: they weigh 1.
OF_IMPORTS = """
ALTER TABLE imports
    ALTER COLUMN weight DROP EXPRESSION,
    ALTER COLUMN weight SET DEFAULT 1
"""
OF_RULES = "ALTER TABLE import_rules ADD COLUMN weight smallint NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100)"


def upgrade() -> None:
    op.execute(OF_IMPORTS)
    op.execute(OF_RULES)


def downgrade() -> None:
    op.execute("ALTER TABLE import_rules DROP COLUMN weight")
    op.execute("ALTER TABLE imports DROP COLUMN weight")
    op.execute(
        "ALTER TABLE imports ADD COLUMN weight smallint NOT NULL GENERATED ALWAYS AS "
        "(CASE requester_role WHEN 'admin' THEN 2 ELSE 1 END) STORED"
    )
