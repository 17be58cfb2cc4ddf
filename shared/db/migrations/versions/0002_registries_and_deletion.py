"""Stored source registries; images on their way out, and who must not write a tag meanwhile."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REGISTRIES = """
CREATE TABLE source_registries (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    host       text NOT NULL UNIQUE,        -- as it stands in a reference, with its port
    username   text,
    password   bytea,                       -- encrypted; never read back out
    is_default boolean NOT NULL DEFAULT false,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT source_registries_whole_credential CHECK ((username IS NULL) = (password IS NULL))
)
"""

ONE_DEFAULT = "CREATE UNIQUE INDEX source_registries_one_default ON source_registries (is_default) WHERE is_default"

# A deletion is begun here, carried out at the target, and ended by deleting the row; one whose lease has run out was
# interrupted, and is finished by the reaper.
DELETION = """
ALTER TABLE images
    ADD COLUMN deletion_lease_until timestamptz,
    ADD COLUMN deletion_requested_by text
"""

# The last attempt that was given leave to write the tag, which it may be doing while it runs, and what the tag was to
# point to.
FENCE = """
ALTER TABLE imports
    ADD COLUMN fenced_attempt integer NOT NULL DEFAULT 0,
    ADD COLUMN tag_digest text
"""

DELETIONS = "CREATE INDEX images_deletions ON images (deletion_lease_until) WHERE deletion_lease_until IS NOT NULL"


def upgrade() -> None:
    for statement in (REGISTRIES, ONE_DEFAULT, DELETION, FENCE, DELETIONS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE imports DROP COLUMN fenced_attempt, DROP COLUMN tag_digest")
    op.execute("ALTER TABLE images DROP COLUMN deletion_lease_until, DROP COLUMN deletion_requested_by")
    op.execute("DROP TABLE source_registries")
