"""Import rules, the import that each of them allowed, and the bytes that each user imported by it in a month."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RULES = """
CREATE TABLE import_rules (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text NOT NULL UNIQUE,
    subjects            text[] NOT NULL,    -- 'everybody', 'user:NAME', 'group:NAME'
    sources             text[] NOT NULL,    -- patterns of host/repository
    targets             text[] NOT NULL,    -- patterns of project/repository
    create_projects     boolean NOT NULL DEFAULT false,
    overwrite_foreign   boolean NOT NULL DEFAULT false,
    max_image_bytes     bigint CHECK (max_image_bytes > 0),
    max_open_imports    integer CHECK (max_open_imports > 0),
    max_bytes_per_month bigint CHECK (max_bytes_per_month > 0),
    created_by          text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
)
"""

FIRST_RULE = """
INSERT INTO import_rules (name, subjects, sources, targets, create_projects, created_by)
VALUES ('everybody', '{everybody}', '{**}', ARRAY['{defaultProject}/{source}'], true, 'longshore')
"""

# `rule_id` has no foreign key: an import keeps the id of a rule that is gone. `admitted_bytes` is the part of the
# month's limit that the import holds, in the month `admitted_month` (its first day, UTC). `begun_attempt` is the newest
# attempt that has asked for its terms: a worker of a release without terms does not.
IMPORTS = """
ALTER TABLE imports
    ADD COLUMN rule_id bigint,
    ADD COLUMN force boolean NOT NULL DEFAULT false,
    ADD COLUMN admitted_bytes bigint,
    ADD COLUMN admitted_month date,
    ADD COLUMN begun_attempt integer
"""

# A row of its own, because deleting an image deletes its imports, and must not give the month's bytes back.
USAGE = """
CREATE TABLE import_usage (
    rule_id bigint NOT NULL REFERENCES import_rules ON DELETE CASCADE,
    issuer  text NOT NULL,
    subject text NOT NULL,
    month   date NOT NULL,
    bytes   bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (rule_id, issuer, subject, month)
)
"""

OPEN_IMPORTS = """
CREATE INDEX imports_open_by_rule ON imports (rule_id, requester_issuer, requester_subject)
    WHERE state IN ('queued', 'running', 'waiting') AND rule_id IS NOT NULL
"""

UP = (RULES, FIRST_RULE, IMPORTS, USAGE, OPEN_IMPORTS)

DOWN = (
    "DROP INDEX imports_open_by_rule",
    """
    ALTER TABLE imports DROP COLUMN rule_id, DROP COLUMN force, DROP COLUMN admitted_bytes, DROP COLUMN admitted_month,
        DROP COLUMN begun_attempt
    """,
    "DROP TABLE import_usage, import_rules",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
