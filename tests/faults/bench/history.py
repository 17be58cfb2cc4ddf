"""Every change of an import's state, written down by the database itself, beside what the product keeps of it."""

from __future__ import annotations

# The product's own rows show the last state alone. These are written in the transaction that changes the state, so that
# a crash takes both or neither.
HISTORY = """
CREATE TABLE bench_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import_id bigint NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL,
    failures integer NOT NULL,
    owner text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION bench_remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench_history (import_id, name, state, attempt, failures, owner)
    VALUES (NEW.id, NEW.name, NEW.state, NEW.attempt, NEW.failures, NEW.lease_owner);
    RETURN NULL;
END
$$;
CREATE TRIGGER bench_inserted AFTER INSERT ON imports FOR EACH ROW EXECUTE FUNCTION bench_remember();
CREATE TRIGGER bench_updated AFTER UPDATE ON imports FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.attempt <> NEW.attempt) EXECUTE FUNCTION bench_remember();
"""
