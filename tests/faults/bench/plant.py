"""The servers that a bench stands on, started once for any number of scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from deploy.local.servers.postgres import DATABASE
from deploy.local.stack import Registry, Scratch, Stack
from tests.faults.bench.history import HISTORY

# Short leases, so that a lost worker's imports are taken over soon; what a scenario needs otherwise it sets itself.
# Attempts are counted for each lost worker: few would end imports of which the bench wants to know that they go on.
SETTINGS = {"LEASE_SECONDS": "3", "RETRY_BASE_SECONDS": "0.5", "MAX_FAILURES": "50", "LOG_LEVEL": "INFO"}


class Plant:
    """PostgreSQL, RabbitMQ, a source that everybody may read and a target; use it as a context manager.

    The database that the server begins with is migrated and has the tokens: a template, never used itself. Commits are
    on disk, since an immediate stop loses what is not.
    """

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._stack = Stack(scratch, workers=0, settings=SETTINGS)
        self._stack.source.auth = None
        self.postgres, self.rabbitmq = self._stack.postgres, self._stack.rabbitmq
        self.source = self._stack.source
        assert isinstance(self._stack.target, Registry)  # Which it is unless the stack is told otherwise.
        self.target = self._stack.target

    @property
    def settings(self) -> Mapping[str, str]:
        """What both services' environments have in common, the template's database included."""
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
        """Make a database with the schema, the tokens and a history; return its URL."""
        return self.postgres.create_database(name, template=DATABASE)

    def __enter__(self) -> Self:
        self._stack.start_servers()
        self.postgres.execute(HISTORY, database=DATABASE)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.stop()

    def mend(self) -> None:
        """Start again what a scenario has left frozen or dead."""
        for server in (self.postgres, self.rabbitmq, self.source, self.target):
            server.thaw()
            if not server.alive:
                server.start()
