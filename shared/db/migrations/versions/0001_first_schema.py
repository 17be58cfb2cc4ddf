"""Images, imports, layers, outbox, API tokens, blob ledger."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IMAGES = """
CREATE TABLE images (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registry_host text NOT NULL,
    repository    text NOT NULL,
    tag           text NOT NULL,
    description   text NOT NULL DEFAULT '',
    status        text NOT NULL CHECK (status IN ('ready', 'importing', 'failed')),
    source        text NOT NULL,            -- normalised reference, with its tag
    source_digest text,                     -- what the source's tag pointed to when the image became ready
    digest        text,                     -- what the target's tag points to; NULL until the image was ready once
    size          bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    architecture  text NOT NULL DEFAULT '',
    os            text NOT NULL DEFAULT '',
    platforms     text[] NOT NULL DEFAULT '{}',
    include_type  text NOT NULL DEFAULT 'full' CHECK (include_type IN ('full', 'partial')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT images_target_key UNIQUE (registry_host, repository, tag),
    CONSTRAINT images_ready_has_digest CHECK (status <> 'ready' OR digest IS NOT NULL)
)
"""

IMPORTS = """
CREATE TABLE imports (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    image_id      bigint NOT NULL REFERENCES images ON DELETE CASCADE,
    state         text NOT NULL REFERENCES import_states,
    source        text NOT NULL,
    source_digest text,                     -- pinned when the request could resolve it, else by the first attempt
    platforms     text[] NOT NULL DEFAULT '{}',   -- empty: all of them
    credentials   bytea,                    -- encrypted; gone with the final state
    requested_by  text NOT NULL,
    attempt       integer NOT NULL DEFAULT 0,     -- one more with each claim: the fence
    failures      integer NOT NULL DEFAULT 0,     -- attempts that count against the limit
    sequence      bigint NOT NULL DEFAULT 0,      -- of the last report within this attempt
    lease_owner   text,
    lease_until   timestamptz,
    due_at        timestamptz NOT NULL DEFAULT now(),
    tagging       boolean NOT NULL DEFAULT false, -- the target's tag may have been written
    bytes_done    bigint NOT NULL DEFAULT 0,
    bytes_total   bigint NOT NULL DEFAULT 0,
    progress      smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),  -- per cent; only ever rises
    rate          double precision NOT NULL DEFAULT 0,  -- bytes per second, smoothed
    moved_at      timestamptz,              -- when bytes last moved
    error_code    text,
    error_detail  text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    finished_at   timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT imports_lease_while_running CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT imports_failed_has_error CHECK (state <> 'failed' OR error_code IS NOT NULL)
)
"""

# The pairs of shared.model.states.TRANSITIONS; a test compares the two.
STATES = (
    "CREATE TABLE import_states (state text PRIMARY KEY)",
    """
    INSERT INTO import_states VALUES ('queued'), ('running'), ('waiting'), ('ready'), ('failed'), ('cancelled')
    """,
    """
    CREATE TABLE import_transitions (
        old_state text NOT NULL REFERENCES import_states,
        new_state text NOT NULL REFERENCES import_states,
        PRIMARY KEY (old_state, new_state)
    )
    """,
    """
    INSERT INTO import_transitions VALUES
        ('queued', 'running'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('running', 'queued'), ('running', 'waiting'), ('running', 'ready'),
        ('running', 'failed'), ('running', 'cancelled'),
        ('waiting', 'running'), ('waiting', 'failed'), ('waiting', 'cancelled')
    """,
)

TRANSITION_CHECK = (
    """
    CREATE FUNCTION imports_check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
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
    """,
    """
    CREATE TRIGGER imports_transition BEFORE UPDATE OF state ON imports
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION imports_check_transition()
    """,
)

LAYERS = """
CREATE TABLE import_layers (
    import_id   bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    digest      text NOT NULL,
    position    integer NOT NULL,           -- order of first report, for display
    size        bigint NOT NULL CHECK (size >= 0),
    byte_offset bigint NOT NULL CHECK (byte_offset BETWEEN 0 AND size),
    status      text NOT NULL CHECK (status IN ('pending', 'downloading', 'completed', 'failed')),
    transfer    text CHECK (transfer IN ('copied', 'mounted', 'existing')),
    PRIMARY KEY (import_id, digest)
)
"""

OUTBOX = """
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id    bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    reason       text NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT now(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
)
"""

TOKENS = """
CREATE TABLE api_tokens (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_name     text NOT NULL,
    role          text NOT NULL CHECK (role IN ('user', 'admin', 'worker')),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz
)
"""

# Which repository of which registry holds a blob: candidates for a mount. A hint only, dropped when it proves wrong.
BLOBS = """
CREATE TABLE blobs (
    registry    text NOT NULL,
    digest      text NOT NULL,
    repository  text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, digest, repository)
)
"""

INDEXES = (
    """
    CREATE UNIQUE INDEX imports_one_open_per_image ON imports (image_id) WHERE state IN ('queued', 'running', 'waiting')
    """,
    "CREATE INDEX imports_latest_of_image ON imports (image_id, id DESC)",
    "CREATE INDEX imports_leases ON imports (lease_until) WHERE state = 'running'",
    "CREATE INDEX imports_due ON imports (due_at) WHERE state IN ('queued', 'waiting')",
    "CREATE INDEX outbox_unpublished ON outbox (due_at) WHERE published_at IS NULL",
    "CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL",
    "CREATE INDEX outbox_of_import ON outbox (import_id)",
    "CREATE INDEX images_by_creation ON images (created_at, id)",
    "CREATE INDEX images_of_user ON images (created_by, created_at, id)",
)

# Hints that wake the relay and the event streams; both also poll, because a notification can be lost.
NOTIFICATIONS = (
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
    """
    CREATE FUNCTION notify_import() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('longshore_imports', NEW.image_id::text);
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER imports_notify AFTER UPDATE ON imports
        FOR EACH ROW EXECUTE FUNCTION notify_import()
    """,
)


def upgrade() -> None:
    tables = (*STATES, IMAGES, IMPORTS, *TRANSITION_CHECK, LAYERS, OUTBOX, TOKENS, BLOBS)
    for statement in (*tables, *INDEXES, *NOTIFICATIONS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE blobs, api_tokens, outbox, import_layers, imports, images, import_transitions, import_states"
    )
    op.execute("DROP FUNCTION notify_import, notify_outbox, imports_check_transition")
