"""The private servers: authentication, persistence, and crashes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from deploy.local.servers.postgres import binaries
from deploy.local.stack import LocalStackError, Postgres, RabbitMQ, Scratch
from tests.conftest import manage
from tests.deploy.local.test_scratch import eventually


def test_postgres_keeps_its_data_across_stop_and_crash(scratch: Scratch) -> None:
    """With fsync on, committed data survive a kill of the postmaster."""
    with Postgres(scratch, name="durable") as postgres:
        assert postgres.execute("SHOW fsync") == "on"
        url = postgres.create_database("ships")
        postgres.execute("CREATE TABLE ship (name text); INSERT INTO ship VALUES ('Vasa')", database="ships")
        postgres.restart()
        postgres.kill()
        assert not postgres.alive
        postgres.start()
        assert postgres.url_of("ships") == url
        assert postgres.execute("SELECT name FROM ship", database="ships") == "Vasa"


def test_postgres_starts_again_after_a_crash_in_the_middle_of_work(scratch: Scratch) -> None:
    """A busy backend does not notice the death of its postmaster, and would block the next start."""
    with Postgres(scratch, name="busy", fsync=False) as postgres:
        command = [str(binaries() / "psql"), postgres.url, "-c", "DO $$ BEGIN LOOP END LOOP; END $$"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as query:
            busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"
            assert eventually(lambda: postgres.execute(busy) == "1")
            postgres.kill()
            postgres.start()
            assert query.wait(10) != 0
        assert postgres.execute("SELECT 1") == "1"


def test_postgres_wants_its_password(postgres: Postgres) -> None:
    """All users of the machine can connect to loopback."""
    wrong = postgres.url.replace(postgres.password, "guess")
    done = subprocess.run([binaries() / "psql", wrong, "-c", "SELECT 1"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr


def test_postgres_reports_the_fault_of_a_statement(postgres: Postgres) -> None:
    """The error contains the server's message."""
    with pytest.raises(LocalStackError, match='relation "no_such" does not exist'):
        postgres.execute("SELECT * FROM no_such")


def test_a_server_runs_as_its_own_user_where_we_are_root(postgres: Postgres, rabbitmq: RabbitMQ) -> None:
    """PostgreSQL refuses to run as root, and RabbitMQ does not need it."""
    for server in (postgres, rabbitmq):
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert "nogroup" not in Path(f"/proc/{server.pid}/status").read_text()
        groups = Path(f"/proc/{server.pid}/status").read_text().partition("Groups:")[2].splitlines()[0].split()
        assert os.geteuid() != 0 or "0" not in groups


def test_rabbitmqs_management_answers_its_user(rabbitmq: RabbitMQ) -> None:
    """The user of the stack's description can log in to the console."""
    who = json.loads(manage(rabbitmq, "GET", "whoami"))
    assert who["name"] == rabbitmq.username
    assert "administrator" in who["tags"]


def test_rabbitmq_comes_back_after_a_crash_with_its_settings_and_queues(scratch: Scratch) -> None:
    """`pid` is the Erlang machine, so killing it is a crash of RabbitMQ."""
    with RabbitMQ(scratch, name="crashing", settings={"consumer_timeout": "61000"}) as rabbitmq:
        assert "beam" in Path(f"/proc/{rabbitmq.pid}/exe").readlink().name
        port_mapper = rabbitmq.mapper
        queue = {"name": "q", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
        definitions = {"queues": [queue]}
        manage(rabbitmq, "POST", "definitions", definitions)
        # RabbitMQ answers while the definition is only in memory; this writes it before the crash.
        rabbitmq.control("eval", "ok = mnesia:sync_log().")
        os.kill(rabbitmq.pid, signal.SIGKILL)
        rabbitmq.process.wait(10)  # type: ignore[union-attr]
        assert not rabbitmq.alive
        rabbitmq.start()
        assert [queue["name"] for queue in json.loads(manage(rabbitmq, "GET", "queues"))] == ["q"]
        rabbitmq.control("eval", "{ok, 61000} = application:get_env(rabbit, consumer_timeout).")
    assert port_mapper is not None
    assert not port_mapper.alive


def test_two_rabbitmqs_know_nothing_of_each_other(scratch: Scratch, rabbitmq: RabbitMQ) -> None:
    """Each has its own port mapper, so that node names cannot clash."""
    other = RabbitMQ(scratch, name="other")
    ports = [rabbitmq.port, rabbitmq.management_port, rabbitmq.distribution_port, rabbitmq.mapper_port]
    others = [other.port, other.management_port, other.distribution_port, other.mapper_port]
    assert len({*ports, *others}) == 8
    assert rabbitmq.node != other.node
