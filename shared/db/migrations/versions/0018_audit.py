"""The audit log: one row for each request that writes, and for each command that does."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

AUDIT = """
CREATE TABLE audit_events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    user_name  text,               -- NULL: the request proved no identity; `longshore-api`: a command
    issuer     text,
    subject    text,
    role       text,
    token_id   bigint,             -- NULL: a token of the OIDC issuer, or none
    address    text,               -- of the connection, or as a trusted proxy names it
    operation  text NOT NULL,      -- the OpenAPI operation's id
    object     text NOT NULL DEFAULT '',
    rule_id    bigint,             -- the import rule that allowed it
    status     integer NOT NULL,   -- of the answer; 0: none was sent
    code       text,               -- the error code of a refusal
    request_id text
)
"""

INDEXES = (
    "CREATE INDEX audit_events_by_time ON audit_events (at, id)",
    "CREATE INDEX audit_events_of_user ON audit_events (user_name, id)",
    "CREATE INDEX audit_events_of_operation ON audit_events (operation, id)",
    "CREATE INDEX audit_events_of_object ON audit_events (object, id)",
    "CREATE INDEX audit_events_with_code ON audit_events (code, id) WHERE code IS NOT NULL",
)


def upgrade() -> None:
    for statement in (AUDIT, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE audit_events")
