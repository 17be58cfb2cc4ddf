"""The import rule of local stacks and of tests: every user may import every source to every target.

Without it, users may import to the names that Longshore derives below the default project, as the first rule says.
"""

NAME = "local: everything"

# Its own statement, so that each of them can add it in its own way; nothing happens where it exists.
PERMISSIVE_RULE = f"""
INSERT INTO import_rules (name, subjects, sources, targets, create_projects, created_by)
VALUES ('{NAME}', '{{everybody}}', '{{**}}', '{{**}}', true, 'local')
ON CONFLICT (name) DO NOTHING
"""  # noqa: S608 - fixed text
FIRST_RULE_ALONE = f"DELETE FROM import_rules WHERE name = '{NAME}'"  # noqa: S608 - fixed text
