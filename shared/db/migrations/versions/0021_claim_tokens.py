"""A random token for each claim, beside its attempt; and the order in which due imports are looked through."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# NULL: no claim yet, or by a worker of an earlier release, which neither writes nor sends a token.
COLUMN = "ALTER TABLE imports ADD COLUMN claim_token uuid"

# What the function of 0001 checks, before which it removes the token of the claim before where a new claim has none.
TRANSITION_CHECK = """
CREATE OR REPLACE FUNCTION imports_check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'running' AND NEW.claim_token IS NOT DISTINCT FROM OLD.claim_token THEN
        NEW.claim_token := NULL;
    END IF;
    IF NOT EXISTS (
        SELECT FROM import_transitions WHERE old_state = OLD.state AND new_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'import % may not go from % to %', OLD.name, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'imports_transition';
    END IF;
    RETURN NEW;
END
$$
"""
FORMER_CHECK = """
CREATE OR REPLACE FUNCTION imports_check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM import_transitions WHERE old_state = OLD.state AND new_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'import % may not go from % to %', OLD.name, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'imports_transition';
    END IF;
    RETURN NEW;
END
$$
"""

# Pages of due imports begin behind an import, not only behind a time that many may share.
DUE_IN_ORDER = "CREATE INDEX imports_due_in_order ON imports (due_at, id) WHERE state IN ('queued', 'waiting')"


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(TRANSITION_CHECK)
    op.execute(DUE_IN_ORDER)
    op.execute("DROP INDEX imports_due")


def downgrade() -> None:
    op.execute("CREATE INDEX imports_due ON imports (due_at) WHERE state IN ('queued', 'waiting')")
    op.execute("DROP INDEX imports_due_in_order")
    op.execute(FORMER_CHECK)
    op.execute("ALTER TABLE imports DROP COLUMN claim_token")
