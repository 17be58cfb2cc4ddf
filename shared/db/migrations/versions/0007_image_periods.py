"""How many images were created in each stretch of time, so that a deep page need not pass over all before it."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As image_counts, with the stretch that an image was created in: a day where all users are counted together (NULL), a
# week for one user, who has fewer. Rows are only ever added; what is not `summed` yet the reaper adds up.
PERIODS = (
    """
    CREATE TABLE image_periods (
        created_by text COLLATE "C",
        ready      boolean NOT NULL,
        starts_at  timestamptz NOT NULL,
        images     integer NOT NULL,
        summed     boolean NOT NULL DEFAULT false
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
    """,
    "CREATE INDEX image_periods_sums ON image_periods (created_by, starts_at, ready) INCLUDE (images)",
    "CREATE INDEX image_periods_to_sum ON image_periods (starts_at) WHERE NOT summed",
)


def _period(hours: int, created_at: str = "created_at") -> str:
    # Immutable, and the same in every time zone: days of 24 hours, weeks from Monday.
    return f"date_bin('{hours} hours', {created_at}, timestamptz '2000-01-03 00:00+00')"


def _counted(images: str, count: str, summed: str) -> str:
    return f"""
        INSERT INTO image_periods
        SELECT created_by, ready, coalesce(week, day), {count}, {summed}
        FROM (
            SELECT created_by, status = 'ready' AS ready, {_period(168)} AS week, {_period(24)} AS day FROM {images}
        ) AS placed
        GROUP BY GROUPING SETS ((created_by, ready, week), (ready, day))
    """  # noqa: S608 - fixed text


COUNT_STATEMENT = f"""
CREATE FUNCTION count_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_counted("changed", "CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END", "false")};
    RETURN NULL;
END
$$
"""

COUNT_UPDATE = f"""
CREATE FUNCTION count_changed_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO image_periods VALUES
        (OLD.created_by, OLD.status = 'ready', {_period(168, "OLD.created_at")}, -1),
        (NULL, OLD.status = 'ready', {_period(24, "OLD.created_at")}, -1),
        (NEW.created_by, NEW.status = 'ready', {_period(168, "NEW.created_at")}, 1),
        (NULL, NEW.status = 'ready', {_period(24, "NEW.created_at")}, 1);
    RETURN NULL;
END
$$
"""  # noqa: S608 - fixed text

COUNT_TRUNCATE = """
CREATE FUNCTION count_no_periods() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE image_periods;
    RETURN NULL;
END
$$
"""

TRIGGERS = (
    """
    CREATE TRIGGER images_periods_inserted AFTER INSERT ON images REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_periods()
    """,
    """
    CREATE TRIGGER images_periods_deleted AFTER DELETE ON images REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_periods()
    """,
    """
    CREATE TRIGGER images_periods_updated AFTER UPDATE OF status, created_by, created_at ON images FOR EACH ROW
        WHEN ((OLD.created_by, OLD.status = 'ready', OLD.created_at)
              IS DISTINCT FROM (NEW.created_by, NEW.status = 'ready', NEW.created_at))
        EXECUTE FUNCTION count_changed_periods()
    """,
    "CREATE TRIGGER images_periods_truncated AFTER TRUNCATE ON images EXECUTE FUNCTION count_no_periods()",
)


def upgrade() -> None:
    for statement in (*PERIODS, COUNT_STATEMENT, COUNT_UPDATE, COUNT_TRUNCATE, *TRIGGERS):
        op.execute(statement)
    # The triggers' lock holds off whoever would change images; what they have changed before is counted here.
    op.execute(_counted("images", "count(*)", "true"))


def downgrade() -> None:
    for event in ("inserted", "deleted", "updated", "truncated"):
        op.execute(f"DROP TRIGGER images_periods_{event} ON images")
    op.execute("DROP FUNCTION count_periods, count_changed_periods, count_no_periods")
    op.execute("DROP TABLE image_periods")
