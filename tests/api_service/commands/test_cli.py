"""`longshore-api` as an operator runs it: a process with an environment."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local.processes.server import new_key
from deploy.local.stack import Postgres

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-c", "from api_service.cli import main; main()")
TOKEN = re.compile(r"lsh_[A-Za-z0-9_-]{43}")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def only_message(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a failed command, which must not be a traceback."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    name = "cli_empty"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def test_migrate_makes_the_schema_and_may_be_repeated(empty_database: str) -> None:
    before = run("token", "list", DATABASE_URL=empty_database)
    assert (before.returncode, "longshore-api migrate" in only_message(before)) == (1, True)
    for _ in range(2):
        done = run("migrate", DATABASE_URL=empty_database)
        assert (done.returncode, done.stdout) == (0, "")
    assert run("token", "list", DATABASE_URL=empty_database).returncode == 0


def test_a_token_is_made_shown_once_listed_and_revoked(database_url: str) -> None:
    made = run(
        *("token", "create", "--user", "alice", "--role", "user", "--expires-in-days", "2"), DATABASE_URL=database_url
    )
    assert made.returncode == 0
    assert TOKEN.fullmatch(made.stdout.strip())
    listed = run("token", "list", "--json", DATABASE_URL=database_url)
    (entry,) = json.loads(listed.stdout)
    assert (entry["id"], entry["userName"], entry["role"], entry["state"]) == (1, "alice", "user", "valid")
    assert entry["expiresTime"] is not None
    revoked = run("token", "revoke", "1", DATABASE_URL=database_url)
    assert (revoked.returncode, revoked.stdout) == (0, "")
    table = run("token", "list", DATABASE_URL=database_url).stdout
    assert "alice" in table
    assert "revoked" in table
    assert made.stdout.strip() not in listed.stdout + table


def test_a_token_expires_unless_the_command_says_otherwise(database_url: str) -> None:
    """The default is 90 days or API_TOKEN_DAYS, for workers' tokens, too."""
    create = ("token", "create", "--user", "ci", "--role")
    for more, setting in (
        (("user",), {}),
        (("worker",), {"API_TOKEN_DAYS": "30"}),
        (("user", "--expires-in-days", "365", "--group", "team-a", "--group", "a,b"), {}),
        (("worker", "--never-expires"), {}),
    ):
        done = run(*create, *more, DATABASE_URL=database_url, **setting)
        assert done.returncode == 0, done
    listed = json.loads(run("token", "list", "--json", DATABASE_URL=database_url).stdout)
    days = [
        entry["expiresTime"]
        and round((datetime.fromisoformat(entry["expiresTime"]) - datetime.now(UTC)) / timedelta(days=1))
        for entry in listed
    ]
    assert days == [90, 30, 365, None]
    assert [entry["groups"] for entry in listed] == [[], [], ["a,b", "team-a"], []]
    assert "until it is revoked" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("token", "revoke", "99"), 1, "no token 99"),
        (("token", "revoke", "x"), 2, "not a valid integer"),
        (("token", "create", "--role", "user"), 2, "--user"),
        (("token", "create", "--user", "a", "--role", "king"), 2, "king"),
        (("token", "create", "--user", "", "--role", "user"), 2, "printable"),
        (("token", "create", "--user", " a", "--role", "user"), 2, "printable"),
        (("token", "create", "--user", "a\nb", "--role", "user"), 2, "printable"),
        (("token", "create", "--user", 129 * "a", "--role", "user"), 2, "128"),
        (("token", "create", "--user", "a", "--role", "user", "--expires-in-days", "0"), 2, "range"),
        (("token", "create", "--user", "a", "--role", "user", "--group", "a\nb"), 2, "printable"),
        (
            ("token", "create", "--user", "a", "--role", "user", "--never-expires", "--expires-in-days", "1"),
            *(2, "exclude"),
        ),
        (("dance",), 2, "dance"),
    ],
)
def test_misuse_gives_one_message(database_url: str, arguments: tuple[str, ...], status: int, message: str) -> None:
    done = run(*arguments, DATABASE_URL=database_url)
    assert done.returncode == status
    assert message in only_message(done)


@pytest.mark.parametrize("arguments", [("migrate",), ("token", "list")])
def test_a_database_that_is_away_gives_one_message(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, DATABASE_URL="postgresql://a:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    message = only_message(done)
    assert "Connect call failed" in message
    assert "secret" not in message


def test_a_wrong_password_gives_one_message(database_url: str) -> None:
    wrong = re.sub(r":[^:@]+@", ":wrong@", database_url)
    for arguments in (("migrate",), ("token", "list")):
        done = run(*arguments, DATABASE_URL=wrong)
        assert done.returncode == 1
        assert "password authentication failed" in only_message(done)


def test_serve_reports_every_mistake_of_the_environment_at_once() -> None:
    done = run(
        "serve",
        API_PORT="99999",
        TARGET_URL="ftp://x",
        SECRET_KEYS="short",
        DEFAULT_PROJECT="No Project",
        DROP_HOST_FOR="quay.io,https://x",
        LEASE_SECONDS="1",
        MAX_FAILURES="none",
        LOG_FORMAT="xml",
    )
    assert done.returncode == 2
    message = only_message(done)
    for name in ("DATABASE_URL", "AMQP_URL", "API_PORT", "TARGET_URL", "SECRET_KEYS", "DEFAULT_PROJECT"):
        assert f"{name}:" in message
    for name in ("DROP_HOST_FOR", "LEASE_SECONDS", "MAX_FAILURES", "LOG_FORMAT"):
        assert f"{name}:" in message


def test_serve_answers_without_its_neighbours_and_ends_on_sigterm(database_url: str, unused_port: int) -> None:
    """It serves without RabbitMQ and target, and stops in order, with status 0."""
    environment = {
        "DATABASE_URL": database_url,
        "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/",
        "TARGET_URL": "http://127.0.0.1:1",
        "SECRET_KEYS": new_key(),
        "API_PORT": str(unused_port),
        "DRAIN_SECONDS": "0",
    }
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{unused_port}/healthz")
        second = run("serve", **environment)
        assert second.returncode == 1
        assert "address already in use" in only_message(second)
        process.send_signal(signal.SIGTERM)
        _, logs = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in logs
    assert all(json.loads(line)["event"] for line in logs.splitlines())


def wait_for(url: str) -> None:
    limit = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.1)


@pytest.fixture
def unused_port(unused_tcp_port: int) -> int:
    return unused_tcp_port
