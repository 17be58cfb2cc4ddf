"""The claim chooses: the due import of the user with the fewest running ones. Why: docs/decisions/0048."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Generated, so that rows of earlier releases have them, and a change of the requester changes them. A hash, because
# workers read it and may not read who requested an import; two users with one hash share one part, and nothing else.
COLUMNS = """
ALTER TABLE imports
    ADD COLUMN owner_hash bigint NOT NULL GENERATED ALWAYS AS (
        hashtextextended(requester_issuer || E'\\n' || coalesce(requester_subject, requested_by), 0)
    ) STORED,
    ADD COLUMN weight smallint NOT NULL GENERATED ALWAYS AS (
        CASE requester_role WHEN 'admin' THEN 2 ELSE 1 END
    ) STORED
"""

INDEXES = (
    "CREATE INDEX imports_due_of_owner ON imports (owner_hash, due_at, id) WHERE state IN ('queued', 'waiting')",
    "CREATE INDEX imports_running_of_owner ON imports (owner_hash) WHERE state = 'running'",
)

# When each user got the newest claim: among users with equally many running imports, it is the turn of another.
TURNS = """
CREATE TABLE import_turns (
    owner_hash bigint PRIMARY KEY,
    claimed_at timestamptz NOT NULL
)
"""

# One claim at a time chooses, in one round trip: a worker that stands still holds no lock. The lock comes first, and
# each statement after it sees what the claims before have committed.
# The walk goes from user to user through the index, at most 200 on each side of a random start: its cost depends on
# the number of users that wait and of imports that run, and on no number of queued imports. Settings keep statistics
# of an empty table from choosing another plan.
CLAIM = """
CREATE FUNCTION claim_import(worker text, lease float8, most_running integer)
RETURNS TABLE (
    name text, attempt integer, claim_token uuid, source text, source_digest text, platforms text[],
    with_referrers boolean, request_id text, traceparent text, repository text, tag text, waited float8, lost bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    start bigint := hashtextextended(gen_random_uuid()::text, 0);
    moment timestamptz;
    rival record;
    chosen bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(72653, 0);
    moment := clock_timestamp();
    FOR rival IN
        WITH RECURSIVE upper AS (
            (
                SELECT owner_hash, due_at, weight, 1 AS step FROM imports
                WHERE state IN ('queued', 'waiting') AND owner_hash >= start
                ORDER BY owner_hash, due_at, id LIMIT 1
            )
            UNION ALL
            SELECT next.owner_hash, next.due_at, next.weight, step + 1
            FROM upper CROSS JOIN LATERAL (
                SELECT owner_hash, due_at, weight FROM imports
                WHERE state IN ('queued', 'waiting') AND owner_hash > upper.owner_hash
                ORDER BY owner_hash, due_at, id LIMIT 1
            ) AS next
            WHERE step < 200
        ), lower AS (
            (
                SELECT owner_hash, due_at, weight, 1 AS step FROM imports
                WHERE state IN ('queued', 'waiting') AND owner_hash < start
                ORDER BY owner_hash, due_at, id LIMIT 1
            )
            UNION ALL
            SELECT next.owner_hash, next.due_at, next.weight, step + 1
            FROM lower CROSS JOIN LATERAL (
                SELECT owner_hash, due_at, weight FROM imports
                WHERE state IN ('queued', 'waiting') AND owner_hash > lower.owner_hash AND owner_hash < start
                ORDER BY owner_hash, due_at, id LIMIT 1
            ) AS next
            WHERE step < 200
        ), running AS (
            SELECT owner_hash, count(*) AS imports FROM imports WHERE state = 'running' GROUP BY owner_hash
        )
        SELECT heads.owner_hash
        FROM (SELECT * FROM upper UNION ALL SELECT * FROM lower) AS heads
            LEFT JOIN running ON running.owner_hash = heads.owner_hash
            LEFT JOIN import_turns AS turns ON turns.owner_hash = heads.owner_hash
        WHERE heads.due_at <= moment
          AND (most_running IS NULL OR coalesce(running.imports, 0) < most_running)
        ORDER BY coalesce(running.imports, 0)::float8 / heads.weight, turns.claimed_at NULLS FIRST, heads.due_at
    LOOP
        SELECT id INTO chosen FROM imports
        WHERE state IN ('queued', 'waiting') AND owner_hash = rival.owner_hash AND due_at <= moment
        ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN chosen IS NULL;
        INSERT INTO import_turns VALUES (rival.owner_hash, moment)
        ON CONFLICT ON CONSTRAINT import_turns_pkey DO UPDATE SET claimed_at = moment;
        RETURN QUERY
            UPDATE imports
            SET state = 'running', attempt = imports.attempt + 1, claim_token = gen_random_uuid(), sequence = 0,
                lease_owner = worker, lease_until = moment + make_interval(secs => lease),
                started_at = coalesce(started_at, moment), moved_at = moment, rate = 0, updated_at = moment
            FROM images
            WHERE imports.id = chosen AND images.id = imports.image_id
            RETURNING imports.name, imports.attempt, imports.claim_token, imports.source, imports.source_digest,
                      imports.platforms, imports.with_referrers, imports.request_id, imports.traceparent,
                      images.repository, images.tag, extract(epoch FROM moment - imports.due_at)::float8,
                      (SELECT count(*) FROM outbox WHERE import_id = imports.id AND reason = 'lease_lost');
        RETURN;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    for statement in (COLUMNS, *INDEXES, TURNS, CLAIM):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION claim_import")
    op.execute("DROP TABLE import_turns")
    op.execute("DROP INDEX imports_due_of_owner, imports_running_of_owner")
    op.execute("ALTER TABLE imports DROP COLUMN owner_hash, DROP COLUMN weight")
