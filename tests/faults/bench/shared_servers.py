"""The servers of the bench, started once for any number of scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from deploy.local.servers.postgres import DATABASE
from deploy.local.stack import Registry, Scratch, Stack

# Short leases, so that imports of a lost worker are taken over soon; a scenario may override the settings. Every lost
# worker counts as a failed attempt: a low maximum would end imports whose recovery the bench checks.
SETTINGS = {"LEASE_SECONDS": "3", "RETRY_BASE_SECONDS": "0.5", "MAX_FAILURES": "50", "LOG_LEVEL": "INFO"}

# The product's rows have only the last state. The transaction that changes the state also writes this history, so that
# a crash affects both or neither.
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
-- With the rights of its owner: a worker may not write to this table.
CREATE FUNCTION bench_remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
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


class SharedServers:
    """PostgreSQL, RabbitMQ, a source without authentication and a target; use it as a context manager.

    The first database is migrated and has the tokens; it serves only as a template. fsync is on, because an immediate
    stop loses commits that are not on disk.
    """

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._stack = Stack(scratch, workers=0, settings=SETTINGS)
        self._stack.source.auth = None
        self.postgres, self.rabbitmq = self._stack.postgres, self._stack.rabbitmq
        self.source = self._stack.source
        assert isinstance(self._stack.target, Registry)  # It is a Registry without `harbor`.
        self.target = self._stack.target

    @property
    def settings(self) -> Mapping[str, str]:
        """The common settings of both services, including the URL of the template database."""
        own = ("API_HOST", "API_PORT")
        return {name: value for name, value in self._stack.api.settings.items() if name not in own}

    @property
    def user_token(self) -> str:
        return self._stack.user_token

    @property
    def admin_token(self) -> str:
        return self._stack.admin_token

    @property
    def worker_token(self) -> str:
        return self._stack.worker_token

    def clone_database(self, name: str) -> str:
        """Create a database with the schema, the tokens and a history; return its URL."""
        return self.postgres.create_database(name, template=DATABASE)

    def __enter__(self) -> Self:
        self._stack.start_servers()
        self.postgres.execute(HISTORY, database=DATABASE)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stop()

    def mend(self) -> None:
        """Resume or restart the servers that a scenario has left frozen or dead."""
        for server in (self.postgres, self.rabbitmq, self.source, self.target):
            server.thaw()
            if not server.alive:
                server.start()
