"""Lists of a million images: an index for every order, trigrams for substrings, counts that are kept."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Names, not prose: the order of their bytes is the same on every server, the cheapest to keep, and no upgrade of the
# system's locales can change it beneath the indexes.
COLLATIONS = """
ALTER TABLE images
    ALTER repository TYPE text COLLATE "C",
    ALTER tag TYPE text COLLATE "C",
    ALTER status TYPE text COLLATE "C",
    ALTER created_by TYPE text COLLATE "C"
"""

# What the list's `tag` is looked for in; LIKE on folded text costs a fifth of ILIKE.
NAME = """
ALTER TABLE images
    ADD COLUMN name text COLLATE "C" GENERATED ALWAYS AS (lower(repository || ':' || tag)) STORED
"""

# A deep page passes over all entries before it, and a substring that half of the images hold is looked for in each
# entry: what filters ask for is in the index, so that the table is read for the page's own rows alone.
FILTERED = "INCLUDE (status, created_by, name)"
ORDERS = (
    f"CREATE INDEX images_by_id ON images (id) {FILTERED}",
    f"CREATE INDEX images_by_creation ON images (created_at, id) {FILTERED}",
    f"CREATE INDEX images_by_tag ON images (tag, id) {FILTERED}",
    f"CREATE INDEX images_by_repository ON images (repository, id) {FILTERED}",
    f"CREATE INDEX images_by_size ON images (size, id) {FILTERED}",
    "CREATE INDEX images_by_user ON images (created_by, id) INCLUDE (status, name)",
    "CREATE INDEX images_by_status ON images (status, id) INCLUDE (created_by, name)",
)

# The filters that keep few of many, in the order that comes by default.
SELECTIONS = (
    "CREATE INDEX images_of_user ON images (created_by, created_at, id) INCLUDE (status, name)",
    """
    CREATE INDEX images_not_ready ON images (created_at, id) INCLUDE (status, created_by, name)
        WHERE status <> 'ready'
    """,
)

TRIGRAMS = (
    # Trusted: the database's owner may create it.
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX images_by_trigrams ON images USING gin (name gin_trgm_ops)",
)

# Index-only scans need pages that vacuum has seen; by default, a fifth of the table may go unseen.
VACUUM = """
ALTER TABLE images SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
)
"""

# How many images there are, by user (NULL: all users) and readiness: the sum of what every change adds or takes away.
# Rows are only ever added, so that no two imports wait for each other's; the reaper adds them up now and then.
COUNTS = (
    """
    CREATE TABLE image_counts (
        created_by text COLLATE "C",
        ready      boolean NOT NULL,
        images     bigint NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
    """,
    "CREATE INDEX image_counts_sums ON image_counts (created_by, ready) INCLUDE (images)",
    """
    INSERT INTO image_counts
    SELECT created_by, status = 'ready', count(*) FROM images
    GROUP BY GROUPING SETS ((created_by, status = 'ready'), (status = 'ready'))
    """,
)

# One row for each user and readiness of a whole statement, however many images it adds or deletes.
COUNT_STATEMENT = """
CREATE FUNCTION count_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_counts
    SELECT created_by, status = 'ready', CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END FROM changed
    GROUP BY GROUPING SETS ((created_by, status = 'ready'), (status = 'ready'));
    RETURN NULL;
END
$$
"""

COUNT_UPDATE = """
CREATE FUNCTION count_changed_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_counts VALUES
        (OLD.created_by, OLD.status = 'ready', -1), (NULL, OLD.status = 'ready', -1),
        (NEW.created_by, NEW.status = 'ready', 1), (NULL, NEW.status = 'ready', 1);
    RETURN NULL;
END
$$
"""

COUNT_TRUNCATE = """
CREATE FUNCTION count_no_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE image_counts;
    RETURN NULL;
END
$$
"""

TRIGGERS = (
    """
    CREATE TRIGGER images_count_inserted AFTER INSERT ON images REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_images()
    """,
    """
    CREATE TRIGGER images_count_deleted AFTER DELETE ON images REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_images()
    """,
    """
    CREATE TRIGGER images_count_updated AFTER UPDATE OF status, created_by ON images FOR EACH ROW
        WHEN ((OLD.created_by, OLD.status = 'ready') IS DISTINCT FROM (NEW.created_by, NEW.status = 'ready'))
        EXECUTE FUNCTION count_changed_image()
    """,
    "CREATE TRIGGER images_count_truncated AFTER TRUNCATE ON images EXECUTE FUNCTION count_no_images()",
)

# Commits that notify wait for each other, each until it is on disk: one by one instead of many at once. The process
# that has written to the outbox tells its own relay; the others' poll.
NO_NOTIFICATION = ("DROP TRIGGER outbox_notify ON outbox", "DROP FUNCTION notify_outbox")
FORMER_NOTIFICATION = (
    """
    CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('longshore_outbox', '');
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER outbox_notify AFTER INSERT ON outbox
        FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox()
    """,
)


def upgrade() -> None:
    op.execute("DROP INDEX images_by_creation, images_of_user")
    for statement in (COLLATIONS, NAME, *ORDERS, *SELECTIONS, *TRIGRAMS, VACUUM):
        op.execute(statement)
    for statement in (*COUNTS, COUNT_STATEMENT, COUNT_UPDATE, COUNT_TRUNCATE, *TRIGGERS, *NO_NOTIFICATION):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER images_count_inserted ON images")
    op.execute("DROP TRIGGER images_count_deleted ON images")
    op.execute("DROP TRIGGER images_count_updated ON images")
    op.execute("DROP TRIGGER images_count_truncated ON images")
    op.execute("DROP FUNCTION count_images, count_changed_image, count_no_images")
    op.execute("DROP TABLE image_counts")
    # Takes the indexes that hold it along.
    op.execute("ALTER TABLE images DROP COLUMN name")
    op.execute("CREATE INDEX images_by_creation ON images (created_at, id)")
    op.execute("CREATE INDEX images_of_user ON images (created_by, created_at, id)")
    for statement in FORMER_NOTIFICATION:
        op.execute(statement)
