"""PUTs of tags whose end is not known yet, and the digests of companion tags that were seen to be there."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# One row for each sending of a tag, written before it and deleted after its answer. No reference to the image: the tag
# of a deleted image is looked at, too. `subject`: the tag holds referrers of this digest, NULL for an image's own tag.
TAG_WRITES = """
CREATE TABLE tag_writes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registry_host   text NOT NULL,
    repository      text NOT NULL,
    tag             text NOT NULL,
    digest          text NOT NULL,
    subject         text,
    begun_at        timestamptz NOT NULL DEFAULT now(),
    looks           smallint NOT NULL DEFAULT 0,
    postponed_until timestamptz,
    lease_until     timestamptz
)
"""
OF_TAG = "CREATE INDEX tag_writes_of_tag ON tag_writes (registry_host, repository, tag)"
CONFIRMED = "ALTER TABLE companion_tags ADD COLUMN confirmed_at timestamptz"


def upgrade() -> None:
    for statement in (TAG_WRITES, OF_TAG, CONFIRMED):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE companion_tags DROP COLUMN confirmed_at")
    op.execute("DROP TABLE tag_writes")
