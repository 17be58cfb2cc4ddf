"""A private PostgreSQL server from Debian's package."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from deploy.local.processes.guardian import descendants, kill_all
from deploy.local.processes.scratch import LocalStackError, Process, Scratch, unprivileged, write
from deploy.local.processes.server import LOOPBACK, POLL_SECONDS, PROBE_SECONDS, Server, new_password

BINARIES = Path("/usr/lib/postgresql")
SYSTEM_USER = "postgres"
OWNER = "longshore"
WORKER = "longshore_worker"
DATABASE = "longshore"

# Seconds for initdb, and for statements such as CREATE DATABASE, on a busy machine.
INITDB_SECONDS = 60.0
STATEMENT_SECONDS = 60.0

# Enough for the pools of several services and the processes of a test run.
MAX_CONNECTIONS = 300


class Postgres(Server):
    """PostgreSQL on a loopback port, with a superuser `longshore` and a database of that name.

    `fsync=False` is for tests that never crash the machine. stop() is a fast shutdown; kill() kills the postmaster.
    """

    stop_signal = signal.SIGINT

    def __init__(self, scratch: Scratch, *, name: str = "postgres", fsync: bool = True) -> None:
        super().__init__(scratch, name)
        self.user = unprivileged(SYSTEM_USER)
        self.port = scratch.ports.reserve()
        self.password = new_password()
        self.worker_password = new_password()
        self.fsync = fsync

    @property
    def worker_url(self) -> str:
        """The postgresql:// URL of the same database for workers, whose role a migration creates."""
        return f"postgresql://{WORKER}:{self.worker_password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def url(self) -> str:
        """The postgresql:// URL of the database `longshore`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the postgresql:// URL of a database of this server."""
        return f"postgresql://{OWNER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def execute(self, sql: str, *, database: str = "postgres") -> str:
        """Run statements with psql, each in its own transaction; return their output."""
        done = subprocess.run(
            [str(binaries() / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", self.url_of(database)],
            input=sql,
            capture_output=True,
            text=True,
            timeout=STATEMENT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LocalStackError(f"{self.name}: {sql}: {done.stderr.strip()}")
        return done.stdout.strip()

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database, by default an empty one, and return its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and end the sessions that still use it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def prepare(self) -> None:
        """Create the data folder: every connection needs the password, and the socket is in the scratch folder."""
        self.home = self.scratch.make_folder(self.name, self.user)
        secret = write(self.home / "password", self.password, self.user)
        self.scratch.run(
            f"{self.name}-initdb",
            [
                *(binaries() / "initdb", "-D", self.home / "data", "-U", OWNER),
                *("--auth=scram-sha-256", f"--pwfile={secret}"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
                *(() if self.fsync else ("--no-sync",)),
            ],
            seconds=INITDB_SECONDS,
            user=self.user,
            cwd=self.home,
        )

    def launch(self) -> Process:
        """Start the postmaster."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self.home),
            "max_connections": str(MAX_CONNECTIONS),
            "fsync": "on" if self.fsync else "off",
            "synchronous_commit": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return self.scratch.spawn(
            self.name,
            [binaries() / "postgres", "-D", self.home / "data", *options],
            user=self.user,
            cwd=self.home,
            # The folder is removed: an immediate shutdown also frees the shared memory.
            stop_signal=signal.SIGQUIT,
        )

    def kill(self) -> None:
        """Kill the postmaster and its backends: a busy backend would outlive it and hold the shared memory."""
        backends = descendants(self.pid)
        super().kill()
        limit = time.monotonic() + self.stop_seconds
        while kill_all(backends) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)

    def discard(self) -> None:
        """Shut down immediately, which still frees the shared memory."""
        if self.process is not None:
            self.process.send(signal.SIGQUIT)
            self.process.wait(self.stop_seconds)

    def probe(self) -> bool:
        """Run pg_isready."""
        command = [str(binaries() / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        done = subprocess.run([*command, "-t", str(int(PROBE_SECONDS))], check=False)
        return done.returncode == 0

    def wait_ready(self) -> None:
        """Wait for the server, and create the database if it does not exist."""
        super().wait_ready()
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):  # noqa: S608 - a constant.
            self.create_database(DATABASE)


def binaries() -> Path:
    """Return the folder with the programs of the newest PostgreSQL."""
    found = [path for path in BINARIES.glob("*/bin") if re.fullmatch(r"\d+", path.parent.name)]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    raise LocalStackError("PostgreSQL is missing: run `make setup`")
