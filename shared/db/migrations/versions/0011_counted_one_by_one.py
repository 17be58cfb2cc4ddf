"""New images counted by a trigger for each row: imports add one at a time, at a third of what a statement's costs."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What the triggers of 0003 and 0007 add, without grouping what is one row.
COUNT = """
CREATE FUNCTION count_new_image() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    monday CONSTANT timestamptz := timestamptz '2000-01-03 00:00+00';
    ready CONSTANT boolean := NEW.status = 'ready';
BEGIN
    INSERT INTO image_counts VALUES (NEW.created_by, ready, 1), (NULL, ready, 1);
    INSERT INTO image_periods VALUES
        (NEW.created_by, ready, date_bin('168 hours', NEW.created_at, monday), 1),
        (NULL, ready, date_bin('24 hours', NEW.created_at, monday), 1);
    RETURN NULL;
END
$$
"""

TRIGGER = "CREATE TRIGGER images_counted AFTER INSERT ON images FOR EACH ROW EXECUTE FUNCTION count_new_image()"

FORMER_TRIGGERS = (
    """
    CREATE TRIGGER images_count_inserted AFTER INSERT ON images REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_images()
    """,
    """
    CREATE TRIGGER images_periods_inserted AFTER INSERT ON images REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION count_periods()
    """,
)


def upgrade() -> None:
    op.execute("DROP TRIGGER images_count_inserted ON images")
    op.execute("DROP TRIGGER images_periods_inserted ON images")
    op.execute(COUNT)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER images_counted ON images")
    op.execute("DROP FUNCTION count_new_image")
    for statement in FORMER_TRIGGERS:
        op.execute(statement)
